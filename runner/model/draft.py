"""What can be told of a blueprint in spite of errors in its YAML or its shape: a model for the rules, never one to run.

What is wrong is left out. What the rules could then only find because of that is in doubt, and not reported.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import structs

from runner.base import diagnostic
from runner.base import span as spans
from runner.base.diagnostic import Diagnostic
from runner.document import nodes
from runner.model import build
from runner.model.blueprint import Blueprint

# What the reader refuses and yet goes on reading.
LEFT_OUT = frozenset({"KB102", "KB103", "KB105", "KB203"})
# Of a key that appears twice, one may be meant for another key.
_UNKNOWN_KEY = frozenset({"KB102", "KB201", "KB601"})
_BAD_VALUE = frozenset({"KB203", "KB204"})
# Of these, what is left out may be what a name elsewhere means.
_NAMES = frozenset({"actions", "inputs", "outputs", "phases", "retryPolicies", "inputArtifactNames"})


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A blueprint without what is wrong with its YAML or its shape.

    Attributes:
        blueprint: For the rules only; nothing may run it.
        written: The document with all that is in it.
        doubts: Pointers of what was left out, in whole or in part.
        strays: Pointers of mappings with an unknown key, which may be meant for any key that they lack.
    """

    blueprint: Blueprint
    written: nodes.MapNode
    doubts: frozenset[str]
    strays: frozenset[str]

    def in_doubt(self, pointer: str) -> bool:
        """Tell whether something that the author meant to write there may be missing."""
        parent = pointer.rpartition("/")[0]
        return pointer in self.doubts or (parent in self.strays and nodes.at(self.written, pointer) is None)

    def is_whole(self, pointer: str) -> bool:
        """Tell whether nothing was left out of a part of the document."""
        return not any(each == pointer or each.startswith(f"{pointer}/") for each in self.doubts)


def make(root: nodes.MapNode, found: Iterable[Diagnostic], text: str, file: str) -> Draft:
    """Build a draft from a document and the errors in its YAML and its shape."""
    mender = _Mender(root, found)
    mended = mender.node(root)
    assert isinstance(mended, nodes.MapNode)
    blueprint = build.BlueprintBuilder(mended).blueprint(text, file)
    return Draft(blueprint=blueprint, written=root, doubts=frozenset(mender.doubts), strays=frozenset(mender.strays))


def is_lost(root: nodes.Node, found: Diagnostic) -> bool:
    """Tell whether the reader has refused a key, so that the entry is missing in its mapping."""
    return found.code in ("KB103", "KB105") and nodes.at(root, found.span.pointer) is None


class _Mender:
    """Leaves out what is wrong, and what cannot be built without it."""

    def __init__(self, root: nodes.Node, found: Iterable[Diagnostic]) -> None:
        errors = [each for each in found if each.severity is diagnostic.Severity.ERROR]
        unknown = {each.span.pointer for each in errors if each.code in _UNKNOWN_KEY or is_lost(root, each)}
        self._wrong = unknown | {each.span.pointer for each in errors if each.code in _BAD_VALUE or _is_alias(each)}
        self.strays = {pointer.rpartition("/")[0] for pointer in unknown}
        cut = [spans.split_pointer(pointer) for pointer in self._wrong]
        self._touched = {spans.pointer(parts[:length]) for parts in cut for length in range(len(parts))}
        self.doubts: set[str] = set()
        for pointer in self._wrong:
            self._leave_out(pointer)

    def node(self, node: nodes.Node) -> nodes.Node | None:
        """Return a node without what is wrong in it, or None if nothing usable remains."""
        pointer = node.span.pointer
        if pointer in self._wrong:
            return None
        parts = spans.split_pointer(pointer)
        if isinstance(node, nodes.ScalarNode):
            return node
        if _are_arguments(parts):
            return self._arguments(node)
        if isinstance(node, nodes.SeqNode):
            kept = (self.node(item) for item in node.items)
            return structs.replace(node, items=tuple(item for item in kept if item is not None))
        mended = self._mapping(node, parts)
        if mended is None:
            self._leave_out(pointer)
        return mended

    def _mapping(self, node: nodes.MapNode, parts: tuple[str, ...]) -> nodes.MapNode | None:
        if parts[-2:-1] in (("inputs",), ("outputs",)) and node.span.pointer in self._touched:
            return _placeholder(node)
        pairs = ((key, self.node(value)) for key, value in node.entries)
        mended = nodes.MapNode(span=node.span, entries=tuple((key, value) for key, value in pairs if value is not None))
        if parts[-1:] == ("foreach",):
            return mended if mended.get("items") else None
        if parts[-1:] == ("retry",) or parts[:-1] == ("retryPolicies",):
            return mended if mended.get("limit") else None
        if parts[2:-1] == ("phases",) and parts[0] == "actions":
            return self._phase(mended)
        if parts[2:] == ("deferPhase",) and parts[0] == "actions":
            return mended if mended.get("name") or node.span.pointer not in self._touched else None
        return mended

    def _arguments(self, node: nodes.Node) -> nodes.Node:
        """Leave out every argument that is not whole; what may stand in one is the function's matter."""
        if not isinstance(node, nodes.MapNode):
            return node
        entries = tuple(entry for entry in node.entries if not self._is_hurt(entry[0].span.pointer))
        return nodes.MapNode(span=node.span, entries=entries)

    def _is_hurt(self, pointer: str) -> bool:
        return pointer in self._wrong or pointer in self._touched

    def _phase(self, node: nodes.MapNode) -> nodes.MapNode | None:
        if node.get("name") is None:
            return None
        pointer = node.span.pointer
        if node.get("needs") is None and (pointer in self.strays or f"{pointer}/needs" in self._wrong):
            # What it waits for is not known; without `needs` it would wait for all phases above it.
            return _with(node, "needs", nodes.SeqNode(span=node.span, items=()))
        return node

    def _leave_out(self, pointer: str) -> None:
        parts = spans.split_pointer(pointer)
        self.doubts.add(pointer)
        if parts[-2:-1] and parts[-2] in _NAMES:
            self.doubts.add(spans.pointer(parts[:-1]))
        if parts[2:] == ("deferPhase",):
            self.doubts.add(spans.pointer((*parts[:2], "phases")))
        above = (parts[:length] for length in range(len(parts)))
        self.doubts.update(spans.pointer(each) for each in above if _are_arguments(each))


def _is_alias(found: Diagnostic) -> bool:
    # Only findings about anchors have no pointer; what has an anchor is there.
    return found.code == "KB103" and found.span.pointer != ""


def _are_arguments(parts: tuple[str, ...]) -> bool:
    """Tell whether a pointer leads to the arguments of a call, and not to an input or an output of that name."""
    is_call = parts[-2:-1] in (("revert",), ("cleanup",), ("deferPhase",)) or parts[-3:-2] == ("phases",)
    return parts[-1:] == ("args",) and is_call and len(parts) > 3


def _placeholder(node: nodes.MapNode) -> nodes.MapNode:
    """Declare a value of which only the name is sure: it is there, and may be of any type."""
    kept = nodes.MapNode(span=node.span, entries=tuple(entry for entry in node.entries if entry[0].text == "secret"))
    secret = kept.get("secret")
    if not (isinstance(secret, nodes.ScalarNode) and isinstance(secret.value, bool)):
        kept = nodes.MapNode(span=node.span, entries=())
    kept = _with(kept, "type", nodes.ScalarNode(span=node.span, value="any", text="any"))
    return _with(kept, "required", nodes.ScalarNode(span=node.span, value=True, text="true"))


def _with(node: nodes.MapNode, key: str, value: nodes.Node) -> nodes.MapNode:
    name = nodes.ScalarNode(span=node.span, value=key, text=key)
    return nodes.MapNode(span=node.span, entries=(*node.entries, (name, value)))
