"""Whatever the bytes are, reading them ends with nodes or findings; what was written comes back."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base.diagnostic import has_errors
from runner.base.jsonvalue import JsonValue
from runner.document import nodes, render, source, yamlread
from runner.model import load
from tests import effort

PIECES = st.sampled_from(
    [
        *(
            "apiVersion: ",
            "blueprint-runner.dev/v1",
            "cr.kanister.io/v1alpha1",
            "kind: Blueprint",
            "metadata: {name: a}",
        ),
        *("actions:", "phases:", "name: ", "func: ", "args: ", "retry: ", "timeout: ", "inputs: ", "type: ", "needs: "),
        *(
            "- ",
            "? ",
            ": ",
            ", ",
            "\n",
            "\n  ",
            "\n    ",
            "\n      ",
            "\t",
            "[",
            "]",
            "{",
            "}",
            "{{ x }}",
            "|\n",
            ">-\n",
        ),
        *("&a ", "*a", "<<: ", "!!int ", "!x ", "'", '"', "#", "---\n", "...\n", "%YAML 1.2\n", "\\x", "\\ud800"),
        *("yes", "010", "null", "~", "1e999", "\u2028", "\x00", "\ufeff", "日", "a", "b: c"),
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


class _Quoting(yaml.SafeDumper):
    """Puts every text in quotes, so that all dialects of YAML read it as a text."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def _scalars(node: nodes.Node) -> list[nodes.ScalarNode]:
    match node:
        case nodes.ScalarNode():
            return [node]
        case nodes.SeqNode():
            return [found for item in node.items for found in _scalars(item)]
        case nodes.MapNode():
            return [found for key, value in node.entries for found in (key, *_scalars(value))]


@settings(max_examples=effort.examples(60))
@given(TEXTS)
def test_any_text_ends_with_a_blueprint_or_with_errors(text: str) -> None:
    blueprint, found = load.parse_blueprint(text, "f.yaml")
    assert (blueprint is None) == has_errors(found)
    assert bool(render.text(found, {"f.yaml": text})) == bool(found)
    lines = source.SourceFile("f.yaml", text).lines
    for finding in found:
        assert 1 <= finding.span.line <= len(lines)
        assert 1 <= finding.span.column <= len(lines[finding.span.line - 1]) + 1


@settings(max_examples=effort.examples(50))
@given(st.binary(max_size=200))
def test_any_bytes_end_with_a_text_or_a_finding(data: bytes) -> None:
    text, found = yamlread.decode(data, "f.yaml")
    assert (text is None) == bool(found)


@settings(max_examples=effort.examples(60))
@given(VALUES.filter(lambda value: value is not None))
def test_value_that_is_written_as_yaml_comes_back(value: JsonValue) -> None:
    root, found = yamlread.read(yaml.dump(value, Dumper=_Quoting), "f.yaml")
    assert found == []
    assert root is not None
    assert root.plain() == value


@settings(max_examples=effort.examples(50))
@given(VALUES)
def test_every_scalar_is_found_again_by_its_pointer(value: JsonValue) -> None:
    root, _ = yamlread.read(yaml.safe_dump({"a": value}, allow_unicode=True), "f.yaml")
    assert root is not None
    for node in _scalars(root):
        assert nodes.at(root, node.span.pointer, key=True) is not None
