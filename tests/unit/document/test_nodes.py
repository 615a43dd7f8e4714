"""Nodes know what was written and where; pointers lead to them."""

from __future__ import annotations

import pytest

from runner.document import nodes, yamlread

TEXT = """\
apiVersion: x/v1
"a/b": {~tilde: [10, {deep: "q"}]}
empty:
"""


@pytest.fixture
def root() -> nodes.MapNode:
    node, found = yamlread.read(TEXT, "f.yaml")
    assert found == []
    assert isinstance(node, nodes.MapNode)
    return node


def _place(node: nodes.Node) -> tuple[int, int, int]:
    return node.span.line, node.span.column, node.span.end_column


def test_plain_is_what_was_written(root: nodes.MapNode) -> None:
    assert root.plain() == {"apiVersion": "x/v1", "a/b": {"~tilde": [10, {"deep": "q"}]}, "empty": None}


def test_pointer_with_escapes_leads_to_the_value(root: nodes.MapNode) -> None:
    node = nodes.at(root, "/a~1b/~0tilde/1/deep")
    assert isinstance(node, nodes.ScalarNode)
    assert (node.value, node.quoted, _place(node)) == ("q", True, (2, 29, 32))
    assert node.span.pointer == "/a~1b/~0tilde/1/deep"


def test_pointer_leads_to_the_key_where_there_is_one(root: nodes.MapNode) -> None:
    key = nodes.at(root, "/a~1b/~0tilde", key=True)
    assert key is not None
    assert _place(key) == (2, 9, 15)
    assert key.span.pointer == "/a~1b/~0tilde"
    item = nodes.at(root, "/a~1b/~0tilde/0", key=True)
    assert item is not None
    assert item.plain() == 10


@pytest.mark.parametrize("pointer", ["/nothing", "/a~1b/~0tilde/2", "/a~1b/~0tilde/-1", "/a~1b/~0tilde/²", "/empty/x"])
def test_pointer_to_nothing_is_none_and_nearest_is_an_ancestor(root: nodes.MapNode, pointer: str) -> None:
    assert nodes.at(root, pointer) is None
    parent = pointer.rpartition("/")[0]
    assert nodes.nearest(root, pointer) is nodes.at(root, parent)


def test_empty_value_has_the_place_behind_the_colon(root: nodes.MapNode) -> None:
    node = nodes.at(root, "/empty")
    assert node is not None
    assert _place(node) == (3, 7, 7)


def test_block_ends_with_its_last_value_not_at_the_next_key() -> None:
    root, _ = yamlread.read("a:\n  b: [1]\n\n# comment\n\nc: 2\n", "f.yaml")
    assert isinstance(root, nodes.MapNode)
    block = nodes.at(root, "/a")
    assert block is not None
    assert (block.span.end_line, block.span.end_column) == (2, 9)
