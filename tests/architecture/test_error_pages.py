"""The example of every page about a document really leads to the code that the page describes, and to no other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.base import codes
from runner.base.diagnostic import Diagnostic
from runner.document import yamlread
from runner.model import load

Check = Callable[[bytes], list[Diagnostic]]

EXAMPLE = re.compile(r"^## Example$.*?^```yaml\n(.*?)^```$", re.M | re.S)

# An encoding other than UTF-8 cannot be shown in a page that is UTF-8 itself.
ENCODINGS = {"KB107": "latin-1"}


def _shape(data: bytes) -> list[Diagnostic]:
    text, found = yamlread.decode(data, "example.yaml")
    return found if text is None else load.parse_blueprint(text, "example.yaml")[1]


# Which check finds a family of codes; a family without one is not looked at here.
CHECKS: dict[str, Check] = {"KB1": _shape, "KB2": _shape, "KB6": _shape}


@pytest.mark.parametrize("code", sorted(code for code in codes.CODES if code[:3] in CHECKS))
def test_example_of_a_document_page_produces_its_code(top: Path, code: str) -> None:
    page = (top / "docs" / "errors" / f"{code}.md").read_text(encoding="utf-8")
    example = EXAMPLE.search(page)
    assert example, "the page has no example"
    found = CHECKS[code[:3]](example[1].encode(ENCODINGS.get(code, "utf-8")))
    assert {finding.code for finding in found} == {code}
