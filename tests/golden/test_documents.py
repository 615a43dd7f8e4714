"""Golden pairs: a document and the exact findings about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.base import codes
from runner.document import render, yamlread
from runner.model import load

PLACE = Path(__file__).parent / "documents"
DOCUMENTS = sorted(PLACE.glob("*.yaml"))


def _findings(path: Path) -> str:
    text, found = yamlread.decode(path.read_bytes(), path.name)
    if text is None:
        return render.text(found, {})
    return render.text(load.parse_blueprint(text, path.name)[1], {path.name: text})


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_findings_are_those_of_the_golden_file(path: Path, golden: Callable[[Path, str], None]) -> None:
    golden(path.with_suffix(".out"), _findings(path))


def test_every_code_of_the_shape_has_a_golden_pair() -> None:
    shown = set(re.findall(r"\[(KB\d{3})\]", "".join(_findings(path) for path in DOCUMENTS)))
    assert shown == {code for code in codes.CODES if code.startswith(("KB1", "KB2", "KB6"))}
