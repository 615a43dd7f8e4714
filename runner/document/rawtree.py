"""The untyped tree between the YAML parser and the nodes: mutable while it is built, keys may be anything.

Nodes have the parser's marks, which count from 0; of every node there is a span later, and making it once is enough.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

import msgspec

from runner.base import span as spans


class Mark(Protocol):
    """A place as the parser tells it."""

    line: int
    column: int


class RawScalar(msgspec.Struct):
    """A scalar as the parser delivers it."""

    start: Mark
    end: Mark
    text: str
    style: str
    tag: str | None


class RawAlias(msgspec.Struct):
    """A `*name`; already reported."""

    start: Mark
    end: Mark


class RawSeq(msgspec.Struct):
    """A list."""

    start: Mark
    end: Mark
    flow: bool
    tag: str | None
    items: list[Raw] = msgspec.field(default_factory=list)

    @property
    def last(self) -> Raw | None:
        """The last item, if there is one."""
        return self.items[-1] if self.items else None

    def add(self, item: Raw) -> None:
        """Append an item."""
        self.items.append(item)


class RawMap(msgspec.Struct):
    """A mapping; keys may be anything here."""

    start: Mark
    end: Mark
    flow: bool
    tag: str | None
    entries: list[tuple[Raw, Raw]] = msgspec.field(default_factory=list)
    pending: Raw | None = None

    @property
    def last(self) -> Raw | None:
        """The last value, if there is one."""
        return self.entries[-1][1] if self.entries else None

    def add(self, item: Raw) -> None:
        """Take a key or, after a key, its value."""
        if self.pending is None:
            self.pending = item
            return
        self.entries.append((self.pending, item))
        self.pending = None


def place(file: str, start: Mark, end: Mark, pointer: str = "") -> spans.Span:
    """Return the span between two marks."""
    return spans.Span(
        file=file,
        line=start.line + 1,
        column=start.column + 1,
        end_line=end.line + 1,
        end_column=end.column + 1,
        pointer=pointer,
    )


Raw: TypeAlias = "RawScalar | RawAlias | RawSeq | RawMap"
