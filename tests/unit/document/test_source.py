"""Places inside a scalar."""

from __future__ import annotations

import pytest

from runner.document import nodes, source, yamlread


def _part(text: str, fragment: str, occurrence: int = 0) -> str:
    root, found = yamlread.read(text, "f.yaml")
    assert found == []
    assert isinstance(root, nodes.MapNode)
    node = root.get("a")
    assert isinstance(node, nodes.ScalarNode)
    start = -1
    for _ in range(occurrence + 1):
        start = node.text.index(fragment, start + 1)
    span = source.SourceFile("f.yaml", text).part(node, start, start + len(fragment))
    return f"{span.line}:{span.column}-{span.end_line}:{span.end_column}"


@pytest.mark.parametrize(
    ("text", "fragment", "occurrence", "place"),
    [
        ("a: run {{ x }} now\n", "x", 0, "1:11-1:12"),
        ('a: "{{ phases.dump.outputs.path }}"\n', "phases.dump", 0, "1:8-1:19"),
        ('a: "{{ x }} {{ x }}"\n', "x", 1, "1:16-1:17"),
        ("a: 'it''s {{ x }}'\n", "x", 0, "1:14-1:15"),
        ('a: "\\t{{ x }}"\n', "x", 0, "1:10-1:11"),
        ("a: |\n  first\n    {{ x }}\n", "x", 0, "3:8-3:9"),
        ("a: >\n  first\n  {{ x }}\n  {{ x }}\n", "x", 1, "4:6-4:7"),
        ('a: "xx xx"\n', "xx", 1, "1:8-1:10"),
        ('a: "aaa"\n', "a", 2, "1:7-1:8"),
    ],
)
def test_part_of_a_scalar_has_its_own_place(text: str, fragment: str, occurrence: int, place: str) -> None:
    assert _part(text, fragment, occurrence) == place


def test_part_that_is_written_differently_has_the_place_of_the_whole() -> None:
    assert _part('a: "\\x41bc"\nb: Abc\n', "Abc") == "1:4-1:12"


def test_offset_and_place_are_inverse_over_all_line_breaks() -> None:
    text = source.SourceFile("f", "ab\r\nc\rd\n\n\u2028e\x85f")
    assert text.lines == ("ab", "c", "d", "", "", "e", "f")
    starts = [text.offset(line, 1) for line in range(1, len(text.lines) + 1)]
    assert [text.place(start) for start in starts] == [(line, 1) for line in range(1, len(text.lines) + 1)]
