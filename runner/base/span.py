"""Places in documents and JSON Pointers (RFC 6901)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import structs


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of text in a file; lines and columns count from 1, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def first(self) -> Span:
        """Return this place, or only its first character if it goes over several lines."""
        if self.end_line == self.line:
            return self
        return structs.replace(self, end_line=self.line, end_column=self.column + 1)

    def at(self, pointer: str) -> Span:
        """Return the same place with a pointer."""
        return Span(
            file=self.file,
            line=self.line,
            column=self.column,
            end_line=self.end_line,
            end_column=self.end_column,
            pointer=pointer,
        )


def pointer(parts: Sequence[str | int]) -> str:
    """Join keys and indexes into a JSON Pointer (`/actions/backup/phases/2`)."""
    return "".join([f"/{_escaped(part) if isinstance(part, str) else part}" for part in parts])


def below(pointer: str, key: str) -> str:
    """Return the pointer to what a key leads to in the mapping that another pointer leads to."""
    return f"{pointer}/{_escaped(key)}"


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1") if "~" in part or "/" in part else part


def split_pointer(text: str) -> tuple[str, ...]:
    """Split a JSON Pointer into its unescaped parts."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])
