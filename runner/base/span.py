"""Places in documents and JSON Pointers (RFC 6901)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of text in a file; lines and columns count from 1, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def pointer(parts: Sequence[str | int]) -> str:
    """Join keys and indexes into a JSON Pointer (`/actions/backup/phases/2`)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def split_pointer(text: str) -> tuple[str, ...]:
    """Split a JSON Pointer into its unescaped parts."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])
