"""The untyped tree between the YAML parser and the nodes: mutable while it is built, keys may be anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from runner.base import span as spans


@dataclass(slots=True)
class RawScalar:
    """A scalar as the parser delivers it."""

    span: spans.Span
    text: str
    style: str
    tag: str | None


@dataclass(slots=True)
class RawAlias:
    """A `*name`; already reported."""

    span: spans.Span


@dataclass(slots=True)
class RawSeq:
    """A list."""

    span: spans.Span
    flow: bool
    tag: str | None
    items: list[Raw] = field(default_factory=list)

    @property
    def last(self) -> Raw | None:
        """The last item, if there is one."""
        return self.items[-1] if self.items else None

    def add(self, item: Raw) -> None:
        """Append an item."""
        self.items.append(item)


@dataclass(slots=True)
class RawMap:
    """A mapping; keys may be anything here."""

    span: spans.Span
    flow: bool
    tag: str | None
    entries: list[tuple[Raw, Raw]] = field(default_factory=list)
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
