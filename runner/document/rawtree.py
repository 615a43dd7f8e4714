"""The untyped tree between the YAML parser and the nodes: mutable while it is built, keys may be anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from runner.base import span as spans


class Place(NamedTuple):
    """A span that has no pointer yet; of every node there is one, so it costs little to make."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def at(self, pointer: str) -> spans.Span:
        """Return the span with a pointer."""
        return spans.Span(
            file=self.file,
            line=self.line,
            column=self.column,
            end_line=self.end_line,
            end_column=self.end_column,
            pointer=pointer,
        )

    def first(self) -> Place:
        """Return the place, or only its first character if it goes over several lines."""
        return self if self.end_line == self.line else self._replace(end_line=self.line, end_column=self.column + 1)


@dataclass(slots=True)
class RawScalar:
    """A scalar as the parser delivers it."""

    place: Place
    text: str
    style: str
    tag: str | None


@dataclass(slots=True)
class RawAlias:
    """A `*name`; already reported."""

    place: Place


@dataclass(slots=True)
class RawSeq:
    """A list."""

    place: Place
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

    place: Place
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
