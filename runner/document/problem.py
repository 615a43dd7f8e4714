"""One error of the schema validator with the document at hand, and words for what it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from runner.base import span as spans
from runner.base.diagnostic import Diagnostic
from runner.base.jsonvalue import JsonValue
from runner.document import nodes

SHOWN = 60
_NAMED_BY_KEY = frozenset({"action", "input", "output", "artifact"})


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What the validator says.

    Attributes:
        path: Keys and indexes that lead to the value.
        instance: The value.
        limit: What the keyword of the schema asks for.
        schema: The part of the schema that the keyword stands in.
        detail: The validator's own message.
    """

    root: nodes.Node
    path: tuple[str | int, ...]
    instance: Any
    limit: Any
    schema: Mapping[str, Any]
    detail: str

    @property
    def pointer(self) -> str:
        """JSON Pointer of the value."""
        return spans.pointer(self.path)

    @property
    def subject(self) -> str:
        """The value in words: `"timeout"`, `item 2 of "needs"`."""
        if not self.path:
            return "the document"
        *above, last = self.path
        if isinstance(last, str):
            return quoted(last)
        return f"item {last + 1} of {quoted(str(above[-1]))}" if above else f"item {last + 1}"

    @property
    def owner(self) -> str:
        """The mapping in words: `phase "dump"`."""
        title = str(self.schema.get("title") or (self.path[-1] if self.path else "document"))
        name = self.instance.get("name") if isinstance(self.instance, Mapping) else None
        if title in _NAMED_BY_KEY and self.path:
            name = self.path[-1]
        return f"{title} {quoted(name)}" if isinstance(name, str) else f"the {title}"

    @property
    def known(self) -> list[str]:
        """The keys that the mapping may have."""
        return list(self.schema.get("properties", {}))

    @property
    def unknown(self) -> list[str]:
        """The keys that the mapping has and may not have."""
        return [key for key in self.instance if key not in self.known]

    def finding(self, code: str, message: str, hint: str = "", **place: Any) -> Diagnostic:
        """Make a finding at the value; `pointer` and `key` name another place, the rest goes to the finding."""
        pointer = place.pop("pointer", self.pointer)
        node = nodes.nearest(self.root, pointer, key=place.pop("key", False))
        return Diagnostic(code=code, message=message, span=node.span, hint=hint, **place)


def quoted(text: str) -> str:
    """Quote a text of the document for a message: on one line, not too long."""
    written = json.dumps(text, ensure_ascii=False)
    return written if len(written) <= SHOWN else written[: SHOWN - 1] + '…"'


def shown(value: JsonValue) -> str:
    """Describe a value in a message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {quoted(value)}"
        case int() | float():
            return f"the number {str(value)[:SHOWN]}"
        case Mapping():
            return "a mapping"
        case _:
            return "a list"
