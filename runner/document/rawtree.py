"""The untyped tree between the YAML parser and the nodes: mutable while it is built, keys may be anything."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from runner.base import span as spans


class RawScalar(msgspec.Struct):
    """A scalar as the parser delivers it."""

    place: spans.Span
    text: str
    style: str
    tag: str | None


class RawAlias(msgspec.Struct):
    """A `*name`; already reported."""

    place: spans.Span


class RawSeq(msgspec.Struct):
    """A list."""

    place: spans.Span
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

    place: spans.Span
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


Raw: TypeAlias = "RawScalar | RawAlias | RawSeq | RawMap"
