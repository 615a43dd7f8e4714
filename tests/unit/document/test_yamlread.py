"""Reading YAML: findings with exact places, fixed limits, and no difference between the two parsers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from runner.base import errors
from runner.document import compose, nodes, yamlread

GOLDEN = Path(__file__).parents[2] / "golden" / "documents"


def _found(text: str) -> list[tuple[str, int, int]]:
    return [(d.code, d.span.line, d.span.column) for d in yamlread.read(text, "f.yaml")[1]]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a:\n\t- b\n", ("KB101", 2, 1)),
        ("a: b: c\n", ("KB101", 1, 5)),
        ("a: [1, 2\nb: 3\n", ("KB101", 2, 2)),
        ("a: {x: 1\n", ("KB101", 1, 9)),
        ("- a\nb: c\n", ("KB101", 2, 1)),
        ('a: "x\n\n', ("KB101", 1, 4)),
        ('a: "\\q"\n', ("KB101", 1, 5)),
        ("a: @b\n", ("KB101", 1, 4)),
        ("a: |x\n  b\n", ("KB101", 1, 5)),
        ("a: *\n", ("KB101", 1, 5)),
        ("a: !e!f b\n", ("KB101", 1, 4)),
        ("---\na: b\n...\nc", ("KB101", 4, 1)),
        ('a: "\x1b[31m"\n', ("KB101", 1, 5)),
        ('a: "\ud800"\n', ("KB101", 1, 5)),
    ],
)
def test_syntax_error_is_found_where_it_is(text: str, finding: tuple[str, int, int]) -> None:
    assert _found(text) == [finding]


def test_message_about_syntax_never_falls_back_to_the_words_of_the_parser() -> None:
    broken = ["a:\n\t- b", "a: b: c", "a: [1", "a: {x: 1", "- a\nb: c", 'a: "x', "a: @b", "a: ]", "x: *", "%X\n---\na"]
    for text in broken:
        for finding in yamlread.read(text, "f.yaml")[1]:
            assert "expected" not in finding.message
            assert "token" not in finding.message
            assert finding.hint


def test_findings_before_a_syntax_error_are_kept() -> None:
    assert _found("a: &x 1\nb: *x\nc: [\n") == [("KB103", 1, 4), ("KB103", 2, 4), ("KB101", 3, 5)]


def test_places_count_characters_and_yaml_line_breaks() -> None:
    root, _ = yamlread.read("ä: 日\r\nb: 1\u2028c: 2\rd: 3\n", "f.yaml")
    assert isinstance(root, nodes.MapNode)
    assert [(key.text, key.span.line, value.span.column) for key, value in root.entries] == [
        ("ä", 1, 4),
        ("b", 2, 4),
        ("c", 3, 4),
        ("d", 4, 4),
    ]


def test_dialect_follows_the_api_version_wherever_it_stands() -> None:
    kanister, _ = yamlread.read("a: yes\napiVersion: cr.kanister.io/v1alpha1\n", "f.yaml")
    own, _ = yamlread.read("a: yes\napiVersion: blueprint-runner.dev/v1\n", "f.yaml")
    assert kanister is not None
    assert own is not None
    assert kanister.plain() == {"a": True, "apiVersion": "cr.kanister.io/v1alpha1"}
    assert own.plain() == {"a": "yes", "apiVersion": "blueprint-runner.dev/v1"}


def test_keys_of_a_kanister_document_become_texts_as_in_kubernetes() -> None:
    root, found = yamlread.read("apiVersion: cr.kanister.io/v1alpha1\nyes: 1\n0x10: 2\n", "f.yaml")
    assert root is not None
    assert list(root.plain()) == ["apiVersion", "true", "16"]  # type: ignore[arg-type]
    assert [(d.code, d.severity.value) for d in found] == [("KB105", "warning")] * 2


def test_duplicate_key_points_at_both_places() -> None:
    root, found = yamlread.read("a: 1\nb: 2\na: 3\n", "f.yaml")
    assert root is not None
    assert root.plain() == {"a": 1, "b": 2}
    assert [(d.code, d.span.line, d.related[0].span.line) for d in found] == [("KB102", 3, 1)]


def test_empty_document_at_the_end_is_no_second_document() -> None:
    assert _found("---\na: 1\n---\n") == []
    assert _found("a: 1\n---\nb: 2\n---\nc: 3\n") == [("KB106", 3, 1)]


@pytest.mark.parametrize("text", ["", "# only\n", "---\n", "~"])
def test_nothing_is_no_document(text: str) -> None:
    expected = [] if text == "~" else [("KB106", 1, 1)]
    assert _found(text) == expected


@pytest.mark.parametrize("loader", ["C", "Python"])
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "[a, " * 100_000,
        "[" + "{}," * 60_000 + "]",
        "a: &a [x]\n" + "".join(f"b{n}: [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" for n in range(6000)),
        "a: " + "x" * compose.MAX_BYTES,
    ],
    ids=["lists", "mappings", "blocks", "keys", "mixed", "many", "aliases", "large"],
)
def test_hostile_text_is_given_up_at_the_limit(text: str, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if loader == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    root, found = yamlread.read(text, "f.yaml")
    assert root is None
    assert found[-1].code == "KB104"


def test_limits_are_exact() -> None:
    deepest = "[" * compose.MAX_DEPTH + "]" * compose.MAX_DEPTH
    assert _found(deepest) == []
    assert [code for code, _, _ in _found(f"[{deepest}]")] == ["KB104"]
    most = "[" + "1," * (compose.MAX_NODES - 1) + "]"
    assert _found(most) == []
    assert [code for code, _, _ in _found(most[:-1] + "1]")] == ["KB104"]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_both_parsers_read_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    with_c = yamlread.read(text, "f.yaml")
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    in_python = yamlread.read(text, "f.yaml")
    assert with_c[0] == in_python[0]
    assert [(d.code, d.message, d.span.line) for d in with_c[1]] == [
        (d.code, d.message, d.span.line) for d in in_python[1]
    ]


def test_file_is_read_with_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert yamlread.read_file(path) == ("a: 1\n", [])


def test_bytes_that_are_not_utf_8_are_found_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("ä: 1\nb: ä".encode() + b"\xe4\n")
    text, found = yamlread.read_file(path)
    assert text is None
    assert [(d.code, d.span.line, d.span.column) for d in found] == [("KB107", 2, 5)]


def test_file_without_end_is_given_up() -> None:
    text, found = yamlread.read_file(Path("/dev/zero"))
    assert text is None
    assert [d.code for d in found] == ["KB104"]


def test_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(errors.UsageError) as caught:
            yamlread.read_file(path)
        assert (caught.value.code, str(path) in caught.value.message) == ("RT103", True)


def test_file_without_permission_is_a_usage_error(as_ordinary_user: Path) -> None:
    path = as_ordinary_user / "a.yaml"
    path.touch(mode=0o000)
    with pytest.raises(errors.UsageError, match="permission denied"):
        yamlread.read_file(path)
