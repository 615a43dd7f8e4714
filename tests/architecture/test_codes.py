"""Every error code has a page, every page a code, and every code a place that uses it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from runner.base import codes

SECTIONS = ["## Example", "## What to do"]


def _page(top: Path, code: str) -> str:
    path = top / "docs" / "errors" / f"{code}.md"
    assert path.is_file(), f"docs/errors/{code}.md is missing"
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("code", sorted(codes.CODES))
def test_page_has_the_title_and_the_sections(top: Path, code: str) -> None:
    page = _page(top, code)
    assert page.startswith(f"# {code}: {codes.CODES[code].title}\n")
    assert re.findall(r"^## .*$", page, re.M) == SECTIONS
    explanation, example, advice = re.split(r"^## .*\n", page, flags=re.M)
    assert explanation.count("\n") >= 2, "says nothing between title and example"
    fence = "yaml" if code.startswith("KB") else "text"
    assert f"```{fence}\n" in example
    assert advice.strip()


@pytest.mark.parametrize("code", sorted(code for code in codes.CODES if code.startswith("RT")))
def test_example_of_a_failed_operation_shows_its_code(top: Path, code: str) -> None:
    assert f"error[{code}]: " in _page(top, code)


def test_no_page_describes_a_code_that_does_not_exist(top: Path) -> None:
    pages = {path.stem for path in (top / "docs" / "errors").glob("*.md")}
    assert pages - set(codes.CODES) - {"README"} == set()


def test_every_code_is_used(modules: list[Any]) -> None:
    text = "".join(module.text for module in modules if module.place != "runner/base/codes.py")
    assert [code for code in codes.CODES if f'"{code}"' not in text] == []


def test_every_code_that_is_used_is_in_the_table(modules: list[Any]) -> None:
    used = {code for module in modules for code in re.findall(r'"((?:KB|RT)\d{3})"', module.text)}
    assert used - set(codes.CODES) == set()
