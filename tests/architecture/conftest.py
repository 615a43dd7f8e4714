"""What the tests of this directory look at: every module of the package, parsed once."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One Python file of the package."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def place(self) -> str:
        """Its path from the top of the project."""
        return str(self.path.relative_to(TOP))

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())


def _read(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(path=path, text=text, tree=ast.parse(text, filename=str(path)))


@pytest.fixture(scope="session")
def top() -> Path:
    """The top directory of the project."""
    return TOP


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    """All modules of the package, in the order of their paths."""
    found = [_read(path) for path in sorted((TOP / "runner").rglob("*.py")) if "_data" not in path.parts]
    assert found, "the package is not where the tests look for it"
    return found
