"""`docs/requirements.md` is generated from the marks of the tests (`make docs`).

A test that shows requirement R31 carries `@pytest.mark.requirement("R31")`. The mark of its suite says against what it
runs: `server` is a real server, `emulator` a stand-in for one; everything else is a unit.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]
WORDING = Path(__file__).with_name("wording.yaml")
ALL = tuple(f"R{number}" for number in range(1, 170))
KINDS = {"server": "real server", "emulator": "emulator"}

HEAD = """# Requirements

<!-- Generated from the marks of the tests by `make docs`. -->

The behaviour that users of storage integrations rely on is numbered R1 to R169. This table lists those that tests show,
the tests, and what these run against: a real server, an emulator, or the code alone (unit).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One test that shows one requirement."""

    requirement: str
    test: str
    kind: str


def _marks(decorators: Iterable[ast.expr]) -> Iterator[tuple[str, list[str]]]:
    for decorator in decorators:
        call = decorator if isinstance(decorator, ast.Call) else None
        name = ast.unparse(call.func if call else decorator)
        if name.startswith("pytest.mark."):
            arguments = call.args if call else []
            yield (
                name.removeprefix("pytest.mark."),
                [str(arg.value) for arg in arguments if isinstance(arg, ast.Constant)],
            )


def _module_marks(tree: ast.Module) -> list[ast.expr]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            return list(node.value.elts) if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
    return []


def _tests(body: list[ast.stmt], outer: list[ast.expr]) -> Iterator[tuple[str, list[ast.expr]]]:
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield node.name, outer + node.decorator_list
        elif isinstance(node, ast.ClassDef):
            yield from _tests(node.body, outer + node.decorator_list)


def shown_by(source: str, place: str) -> Iterator[Shown]:
    """Find the requirements that the tests of one file show."""
    tree = ast.parse(source)
    for test, decorators in _tests(tree.body, _module_marks(tree)):
        marks = list(_marks(decorators))
        kind = next((KINDS[name] for name, _ in marks if name in KINDS), "unit")
        for name, arguments in marks:
            if name == "requirement":
                yield from (Shown(requirement=item, test=f"{place}::{test}", kind=kind) for item in arguments)


def _rows(shown: list[Shown], wording: Mapping[str, str]) -> Iterator[str]:
    for requirement in ALL:
        found = [item for item in shown if item.requirement == requirement]
        if found:
            tests = "<br>".join(f"`{item.test}`" for item in found)
            kinds = ", ".join(sorted({item.kind for item in found}))
            yield f"| {requirement} | {wording[requirement]} | {tests} | {kinds} |"


def page(shown: list[Shown], wording: Mapping[str, str]) -> str:
    """Write the page."""
    rows = list(_rows(shown, wording))
    table = ["", "| | requirement | tests | against |", "|---|---|---|---|", *rows] if rows else []
    summary = f"{len(rows)} of {len(ALL)} requirements are shown by tests, {len(ALL) - len(rows)} are open."
    return "\n".join([HEAD + "\n" + summary, *table]) + "\n"


def _all_shown() -> list[Shown]:
    files = sorted((TOP / "tests").rglob("test_*.py"))
    assert files
    return [item for path in files for item in shown_by(path.read_text(encoding="utf-8"), str(path.relative_to(TOP)))]


def _wording() -> dict[str, str]:
    return dict(yaml.safe_load(WORDING.read_text(encoding="utf-8")))


def test_requirements_page_freshness(request: pytest.FixtureRequest) -> None:
    path = TOP / "docs" / "requirements.md"
    generated = page(_all_shown(), _wording())
    if request.config.getoption("--update-golden", default=False):
        path.write_text(generated, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == generated, "run `make docs`"


def test_exactly_the_shown_requirements_have_a_wording() -> None:
    shown = {item.requirement for item in _all_shown()}
    assert shown - set(ALL) == set()
    assert shown == set(_wording())


SAMPLE = """
import pytest
pytestmark = [pytest.mark.server("ceph")]

@pytest.mark.requirement("R93", "R94")
def test_reads_only_what_is_allocated(): ...

class TestOther:
    @pytest.mark.requirement("R91")
    def test_block_mode(self): ...

def test_without_a_mark(): ...
"""


def test_marks_of_functions_classes_and_modules_are_found() -> None:
    found = [(item.requirement, item.test, item.kind) for item in shown_by(SAMPLE, "t.py")]
    assert found == [
        ("R93", "t.py::test_reads_only_what_is_allocated", "real server"),
        ("R94", "t.py::test_reads_only_what_is_allocated", "real server"),
        ("R91", "t.py::test_block_mode", "real server"),
    ]


def test_page_counts_each_requirement_once() -> None:
    shown = [Shown(requirement="R2", test=f"t.py::test_{name}", kind="unit") for name in "ab"]
    written = page(shown, {"R2": "The integration of a volume is chosen by itself"})
    assert "1 of 169 requirements are shown by tests, 168 are open." in written
    assert written.count("| R2 |") == 1
