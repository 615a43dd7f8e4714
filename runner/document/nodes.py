"""The nodes of a document: what was written, as JSON values, with the place of every key and every value.

Positions live on scalars too, so that a finding about one argument points at that argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from runner.base import span as spans
from runner.base.jsonvalue import JsonValue

Scalar: TypeAlias = "bool | int | float | str | None"


class ScalarNode(msgspec.Struct, frozen=True, kw_only=True):
    """A single value.

    Attributes:
        value: The value after typing (`yes` is a text at level 1 and true at level 0).
        text: The text between the quotes, escapes resolved.
        style: How it was written: empty for plain, else one of `'`, `"`, `|`, `>`.
    """

    span: spans.Span
    value: Scalar
    text: str
    style: str = ""

    @property
    def quoted(self) -> bool:
        """Whether it was written in quotes or as a block."""
        return self.style != ""

    def plain(self) -> JsonValue:
        """Return the value."""
        return self.value


class SeqNode(msgspec.Struct, frozen=True, kw_only=True):
    """A list."""

    span: spans.Span
    items: tuple[Node, ...]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items)

    def plain(self) -> JsonValue:
        """Return the items as JSON values."""
        return [item.plain() for item in self.items]


class MapNode(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping with text keys, in the order of the document.

    The span of a key carries the same pointer as the value that it leads to. Of a key that appears twice, which is a
    finding, the first one counts.
    """

    span: spans.Span
    entries: tuple[tuple[ScalarNode, Node], ...]
    _by_key: dict[str, tuple[ScalarNode, Node]] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in self.entries:
            self._by_key.setdefault(entry[0].text, entry)

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        entry = self._by_key.get(key)
        return entry[1] if entry else None

    def key(self, key: str) -> ScalarNode | None:
        """Return the node of the key itself, or None."""
        entry = self._by_key.get(key)
        return entry[0] if entry else None

    def plain(self) -> dict[str, JsonValue]:
        """Return the entries as JSON values."""
        return {key: value.plain() for key, (_, value) in self._by_key.items()}


Node: TypeAlias = "ScalarNode | SeqNode | MapNode"


def at(root: Node, pointer: str, *, key: bool = False) -> Node | None:
    """Find the node that a JSON Pointer leads to.

    Args:
        root: Where the pointer starts.
        pointer: An RFC 6901 pointer; the empty one is the root.
        key: Return the node of the key that leads there, where there is one (a root and a list item have none).
    """
    node: Node = root
    key_node: ScalarNode | None = None
    for part in spans.split_pointer(pointer):
        key_node = node.key(part) if isinstance(node, MapNode) else None
        child = _child(node, part)
        if child is None:
            return None
        node = child
    return (key_node or node) if key else node


def nearest(root: Node, pointer: str, *, key: bool = False) -> Node:
    """Find the node that a JSON Pointer leads to, or the closest of its ancestors that exists."""
    parts = spans.split_pointer(pointer)
    for length in range(len(parts), 0, -1):
        found = at(root, spans.pointer(parts[:length]), key=key)
        if found is not None:
            return found
    return root


def _child(node: Node, part: str) -> Node | None:
    if isinstance(node, MapNode):
        return node.get(part)
    if isinstance(node, SeqNode) and part.isascii() and part.isdigit() and len(part) < 7:
        index = int(part)
        return node.items[index] if index < len(node.items) else None
    return None
