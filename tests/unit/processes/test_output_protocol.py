"""Outputs of commands: marked lines in a stream that comes in pieces, and lines of a file."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.processes import output_protocol
from tests import effort

MARKER = output_protocol.MARKER.decode()


def read(text: bytes, limit: int = output_protocol.LIMIT_BYTES) -> tuple[dict[str, str], list[str]]:
    lines: list[str] = []
    reader = output_protocol.OutputReader(lines.append, limit)
    reader.feed(text)
    reader.end()
    return reader.outputs, lines


def marked(key: str, value: str) -> bytes:
    return f"{MARKER} {json.dumps({'key': key, 'value': value})}".encode()


def test_outputs_are_taken_out_of_the_ordinary_lines() -> None:
    text = b"begin\nnow " + marked("rows", "42") + b"\nmore\n" + marked("rows", "43")
    assert read(text) == ({"rows": "43"}, ["begin", "now ", "more"])


def test_lines_without_marker_stay_as_they_are() -> None:
    assert read(b"a\r\n\n###Phase-output## no\n\xff end") == ({}, ["a", "", "###Phase-output## no", "� end"])


@settings(max_examples=effort.examples(25))
@given(
    values=st.lists(st.text(max_size=30), max_size=4),
    plain=st.lists(st.text(alphabet="#aPhase-output: ", max_size=40), max_size=4),
    cuts=st.lists(st.integers(0, 400), max_size=20),
)
def test_pieces_of_any_size_give_the_same_result(values: list[str], plain: list[str], cuts: list[int]) -> None:
    parts = [marked(f"k{number}", value) for number, value in enumerate(values)]
    text = b"\n".join(
        part for pair in zip([*plain, "", "", "", ""], parts, strict=False) for part in (pair[0].encode(), pair[1])
    )
    lines: list[str] = []
    reader = output_protocol.OutputReader(lines.append)
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for start, end in itertools.pairwise(edges):
        reader.feed(text[start:end])
    reader.end()
    assert (reader.outputs, lines) == read(text)
    assert reader.outputs == {f"k{number}": value for number, value in enumerate(values)}


def test_a_long_line_is_passed_on_in_pieces_and_may_still_end_with_an_output() -> None:
    outputs, lines = read(b"x" * 1_000_000 + marked("k", "v") + b"\n")
    assert outputs == {"k": "v"}
    assert "".join(lines) == "x" * 1_000_000
    assert max(len(line) for line in lines) <= 64 * 1024


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('["key"]', 'has no "key"'),
        ('{"key": "a-b", "value": "x"}', "other characters"),
        ('{"key": "a", "value": 1}', 'has no "value" that is a text, for the key a'),
        ('{"key": "a"}', 'has no "value"'),
    ],
)
def test_a_broken_output_is_an_error_that_does_not_show_it(record: str, message: str) -> None:
    with pytest.raises(output_protocol.BrokenProtocol, match=message) as caught:
        read(f"{MARKER}{record}\nmore\n".encode())
    assert caught.value.code == "RT207"
    assert record not in caught.value.message


def test_a_value_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert read(marked("k", "x" * 100), limit=100)[0] == {"k": "x" * 100}
    with pytest.raises(output_protocol.BrokenProtocol, match="longer than the outputLimit of 100 bytes, for the key k"):
        read(marked("k", "x" * 101), limit=100)


def test_a_value_that_is_not_even_kept_is_too_long_and_not_no_json(tmp_path: Path) -> None:
    huge = marked("k", "x" * 1_000_000)
    reader = output_protocol.OutputReader(lambda line: None, limit=100)
    for start in range(0, len(huge), 1000):
        reader.feed(huge[start : start + 1000])
    with pytest.raises(output_protocol.BrokenProtocol, match="longer than the outputLimit of 100 bytes") as caught:
        reader.end()
    assert caught.value.hint == "raise `outputLimit`, or have the command write a file and hand over its path"
    (tmp_path / "outputs").write_text(f"k={'x' * 1_000_000}")
    with pytest.raises(output_protocol.BrokenProtocol, match="longer than the outputLimit of 100 bytes"):
        output_protocol.read_file(tmp_path / "outputs", limit=100)


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_a_small_limit_leaves_room_for_what_is_around_a_value(cut: int) -> None:
    text = marked("a_key_with_a_long_name", "\u00e9")
    reader = output_protocol.OutputReader(lambda line: None, limit=2)
    for start in range(0, len(text), cut):
        reader.feed(text[start : start + cut])
    reader.end()
    assert reader.outputs == {"a_key_with_a_long_name": "\u00e9"}


def test_a_file_holds_pairs_and_objects(tmp_path: Path) -> None:
    source = tmp_path / "outputs"
    assert output_protocol.read_file(source) == {}
    source.write_text('rows=42\nurl=a=b\r\n\n{"key": "text", "value": "two\\nlines"}\nrows=43')
    assert output_protocol.read_file(source) == {"rows": "43", "url": "a=b", "text": "two\nlines"}


@pytest.mark.parametrize("line", [b"rows", b"a-b=c", b"{", b"k=\xff", b"k=" + b"x" * 101])
def test_a_broken_line_of_the_file_is_an_error(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "outputs").write_bytes(b"ok=1\n" + line)
    with pytest.raises(output_protocol.BrokenProtocol):
        output_protocol.read_file(tmp_path / "outputs", limit=100)


def test_half_a_character_is_no_output() -> None:
    with pytest.raises(output_protocol.BrokenProtocol, match="half a character in its value, for the key k"):
        read(f'{MARKER} {{"key": "k", "value": "\\ud800"}}\n'.encode())
