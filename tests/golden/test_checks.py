"""Golden pairs: a document and everything that the rules find in it, with or without errors in its YAML or shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.app import validate
from runner.base import codes, diagnostic
from runner.document import render
from runner.testing import sample_functions

PLACE = Path(__file__).parent / "checks"
DOCUMENTS = sorted(PLACE.glob("*.yaml"))

# What only a run, its command line, its input files or a rehearsal can show.
ELSEWHERE = {"KB303", "KB330", "KB331", "KB510", "KB511"}


def _findings(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return render.text(
        diagnostic.in_order(validate.findings(sample_functions.sample_registry(), text, path.name)), {path.name: text}
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_findings_of_the_rules_are_those_of_the_golden_file(path: Path, golden: Callable[[Path, str], None]) -> None:
    golden(path.with_suffix(".out"), _findings(path))


def test_every_code_of_the_rules_has_a_golden_pair() -> None:
    shown = set(re.findall(r"\[(KB\d{3})\]", "".join(_findings(path) for path in DOCUMENTS)))
    assert {code for code in shown if not code.startswith(("KB1", "KB2"))} == {
        code for code in codes.CODES if code.startswith(("KB3", "KB4", "KB5", "KB7"))
    } - ELSEWHERE
