"""The example of every page about a document really leads to the code that the page describes, and to no other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from runner import functions
from runner.app import rehearsals
from runner.base import codes
from runner.base.diagnostic import Diagnostic
from runner.checks import run
from runner.document import yamlread
from runner.model import load
from runner.model.blueprint import Blueprint
from runner.params import inputs
from runner.plan import compile
from runner.registry import registry

Check = Callable[[bytes], list[Diagnostic]]

EXAMPLE = re.compile(r"^## Example$.*?^```yaml\n(.*?)^```$", re.M | re.S)

# An encoding other than UTF-8 cannot be shown in a page that is UTF-8 itself.
ENCODINGS = {"KB107": "latin-1"}


def _shape(data: bytes) -> list[Diagnostic]:
    text, found = yamlread.decode(data, "example.yaml")
    return found if text is None else load.parse_blueprint(text, "example.yaml")[1]


def _meaning(data: bytes) -> list[Diagnostic]:
    blueprint, found = load.parse_blueprint(data.decode(), "example.yaml")
    return found if blueprint is None else [*found, *run.check(blueprint, registry.Registry(functions.builtin()))]


# Which check finds a family of codes; a family without one is not looked at here.
CHECKS: Mapping[str, Check] = {"KB1": _shape, "KB2": _shape, "KB6": _shape} | dict.fromkeys(
    ("KB3", "KB4", "KB5", "KB7"), _meaning
)

# What is wrong with what is asked for, not with the document: what the commands of these pages ask for.
ASKED: dict[str, tuple[str, list[str]]] = {
    "KB303": ("backp", []),
    "KB510": ("backup", []),
    "KB511": ("backup", ["databse=notes.db", "database=notes.db"]),
}

# Pages about rehearsals show one, and before it the blueprint that it is about where that matters.
REHEARSED = ("KB330", "KB331")


def _asked(blueprint: Blueprint, action: str, sets: list[str], place: Path) -> list[str]:
    _, found = compile.compile_plan(blueprint, action, registry.Registry(functions.builtin()))
    if action not in blueprint.actions:
        return [finding.code for finding in found]
    _, problems = inputs.resolve(
        blueprint.actions[action].inputs,
        sets=sets,
        set_files=[],
        files=[],
        environment={},
        blueprint_dir=place,
        cwd=place,
    )
    return [problem.code for problem in problems]


@pytest.mark.parametrize("code", sorted(ASKED))
def test_example_of_a_page_about_what_is_asked_for_produces_its_code(top: Path, tmp_path: Path, code: str) -> None:
    page = (top / "docs" / "errors" / f"{code}.md").read_text(encoding="utf-8")
    example = EXAMPLE.search(page)
    assert example, "the page has no example"
    assert _meaning(example[1].encode()) == []
    blueprint, _ = load.parse_blueprint(example[1], "example.yaml")
    assert blueprint is not None
    assert _asked(blueprint, *ASKED[code], tmp_path) == [code]


@pytest.mark.parametrize("code", REHEARSED)
def test_example_of_a_page_about_rehearsals_produces_its_code(top: Path, tmp_path: Path, code: str) -> None:
    page = (top / "docs" / "errors" / f"{code}.md").read_text(encoding="utf-8")
    *blueprints, rehearsal = re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)
    for blueprint in blueprints:
        (tmp_path / "blueprint.yaml").write_text(blueprint, encoding="utf-8")
    path = tmp_path / "example.rehearsal.yaml"
    path.write_text(rehearsal, encoding="utf-8")
    document = rehearsals.Reader(registry.Registry(functions.builtin())).read(path)
    assert {finding.code for finding in document.found} == {code}


@pytest.mark.parametrize(
    "code", sorted(code for code in codes.CODES if code[:3] in CHECKS and code not in (*ASKED, *REHEARSED))
)
def test_example_of_a_document_page_produces_its_code(top: Path, code: str) -> None:
    page = (top / "docs" / "errors" / f"{code}.md").read_text(encoding="utf-8")
    example = EXAMPLE.search(page)
    assert example, "the page has no example"
    found = CHECKS[code[:3]](example[1].encode(ENCODINGS.get(code, "utf-8")))
    assert {finding.code for finding in found} == {code}
