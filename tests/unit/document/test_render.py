"""Findings on a terminal, as JSON and as annotations."""

from __future__ import annotations

import json

import jsonschema
import pytest

from runner.base import resources
from runner.base.diagnostic import Diagnostic, Related, Severity
from runner.base.span import Span
from runner.document import excerpt, render, source


def _span(line: int, column: int, end_column: int, *, end_line: int | None = None, file: str = "f.yaml") -> Span:
    return Span(file=file, line=line, column=column, end_line=end_line or line, end_column=end_column, pointer="/a")


def _marked(line: str, column: int, end_column: int) -> tuple[str, str]:
    return excerpt.excerpt(source.SourceFile("f.yaml", line), _span(1, column, end_column))


def test_carets_stand_under_the_place() -> None:
    assert _marked("a: bcd", 4, 7) == ("a: bcd", "   ^^^")


def test_tab_is_shown_as_spaces_up_to_the_next_stop() -> None:
    assert _marked("a:\tbc\tx", 4, 6) == ("a:  bc  x", "    ^^")
    assert _marked("a:\tbc\tx", 3, 6) == ("a:  bc  x", "  ^^^^")


def test_wide_characters_count_twice_and_marks_nothing() -> None:
    assert _marked("日本: e\u0301x", 1, 3) == ("日本: e\u0301x", "^^^^")
    assert _marked("日本: e\u0301x", 5, 8) == ("日本: e\u0301x", "      ^^")


@pytest.mark.parametrize("character", ["\x1b", "\u202e", "\u200b", "\x07"])
def test_characters_that_would_disturb_a_terminal_are_replaced(character: str) -> None:
    assert _marked(f"a{character}b", 3, 4) == ("a\ufffdb", "  ^")
    found = Diagnostic(code="KB201", message=f"x{character}y", span=_span(1, 1, 2), hint=character)
    assert character not in render.text([found], {})


def test_long_line_is_cut_around_the_place() -> None:
    line = "x" * 500 + "HERE" + "y" * 500
    shown, carets = _marked(line, 501, 505)
    assert len(shown) < 130
    assert (shown[0], shown[-1]) == ("…", "…")
    assert shown[len(carets) - 4 : len(carets)] == "HERE"


def test_place_of_several_lines_is_marked_to_the_end_of_the_first() -> None:
    text = source.SourceFile("f.yaml", "a: |\n  b\n")
    assert excerpt.excerpt(text, _span(1, 4, 1, end_line=3)) == ("a: |", "   ^")


def test_place_behind_the_end_gets_one_caret() -> None:
    assert _marked("a:", 3, 3) == ("a:", "  ^")
    assert excerpt.excerpt(source.SourceFile("f.yaml", ""), _span(9, 9, 9)) == ("", "^")


FINDINGS = [
    Diagnostic(
        code="KB102", message="second", span=_span(2, 1, 2), related=(Related(span=_span(1, 1, 2), message="x"),)
    ),
    Diagnostic(
        code="KB201", message="first: 100%\nsure", span=_span(1, 1, 2), severity=Severity.WARNING, hint="do, it"
    ),
]


def test_text_is_in_the_order_of_the_document() -> None:
    assert render.text(reversed(FINDINGS), {"f.yaml": "a\nb\n"}) == (
        "f.yaml:1:1: warning[KB201]: first: 100%\ufffdsure\n    1 | a\n      | ^\n      hint: do, it\n\n"
        "f.yaml:2:1: error[KB102]: second\n    2 | b\n      | ^\n      note: x (f.yaml:1:1)\n    1 | a\n      | ^\n"
    )


def test_colours_change_nothing_but_colours() -> None:
    import re

    sources = {"f.yaml": "a\nb\n"}
    coloured = render.text(FINDINGS, sources, colour=True)
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render.text(FINDINGS, sources)


def test_many_findings_are_capped() -> None:
    found = [Diagnostic(code="KB201", message="x", span=_span(line, 1, 2)) for line in range(1, 58)]
    text = render.text(found, {})
    assert text.count("error[KB201]") == 50
    assert text.endswith("… and 7 more\n")


def test_files_are_read_again_when_no_text_is_given(tmp_path: object) -> None:
    file = f"{tmp_path}/f.yaml"
    with open(file, "w", encoding="utf-8") as stream:
        stream.write("abc\n")
    here = Diagnostic(code="KB201", message="x", span=_span(1, 2, 3, file=file))
    gone = Diagnostic(code="KB201", message="x", span=_span(1, 2, 3, file=f"{tmp_path}/gone.yaml"))
    assert render.text([here]).endswith("    1 | abc\n      |  ^\n")
    assert "|" not in render.text([gone])


def test_json_has_the_shape_of_its_schema() -> None:
    schema = json.loads((resources.schemas() / "diagnostics.schema.json").read_text(encoding="utf-8"))
    written = render.to_json(FINDINGS)
    for item in written:
        jsonschema.Draft202012Validator(schema).validate(item)
    assert [item["code"] for item in written] == ["KB201", "KB102"]
    assert written[1]["position"] == {
        "file": "f.yaml", "line": 2, "column": 1, "endLine": 2, "endColumn": 2, "pointer": "/a",
    }  # fmt: skip


def test_annotations_escape_what_github_would_read() -> None:
    found = Diagnostic(code="KB201", message="a%b\nc", span=_span(1, 1, 3, file="a:b,c.yaml"), hint="d")
    assert render.github([found]) == (
        "::error file=a%3Ab%2Cc.yaml,line=1,endLine=1,title=KB201,col=1,endColumn=2::a%25b%0Ac%0Ahint: d\n"
    )
