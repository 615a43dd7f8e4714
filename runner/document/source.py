"""The text of a document, by lines, for excerpts and for places inside a scalar."""

from __future__ import annotations

import bisect
import functools
import re
from functools import cached_property

from msgspec import structs

from runner.base import span as spans
from runner.document import nodes

# The line breaks that the YAML parser counts; str.splitlines() knows more of them.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class SourceFile:
    """The text of a file that findings point into."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends."""
        return tuple(_BREAK.split(self.text))

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return (0, *(found.end() for found in _BREAK.finditer(self.text)))

    def line(self, number: int) -> str:
        """Return a line, counted from 1; empty beyond the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def offset(self, line: int, column: int) -> int:
        """Return the index into the text of a place, both counted from 1."""
        return min(self._starts[min(line, len(self._starts)) - 1] + column - 1, len(self.text))

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column, both counted from 1, of an index into the text."""
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= offset else (low, middle)
        return low + 1, offset - self._starts[low] + 1

    def span(self, start: int, end: int, *, pointer: str = "") -> spans.Span:
        """Return the span between two indexes into the text."""
        line, column = self.place(start)
        end_line, end_column = self.place(end)
        return spans.Span(
            file=self.path, line=line, column=column, end_line=end_line, end_column=end_column, pointer=pointer
        )

    def part(self, node: nodes.ScalarNode, start: int, end: int) -> spans.Span:
        """Return the place of the characters `start` to `end` of a scalar's text.

        Indentation, folding and escapes make the written text differ from the value; the same fragment is therefore
        looked up in the written text, the whole scalar is the answer where it is not there.
        """
        fragment = node.text[start:end].split("\n", 1)[0]
        begins = self.offset(node.span.line, node.span.column)
        limit = self.offset(node.span.end_line, node.span.end_column)
        written = _occurrences(self.text, fragment, begins, limit)
        number = bisect.bisect_left(_occurrences(node.text, fragment, 0, len(node.text)), start)
        if number >= len(written):
            return node.span
        found = self.span(written[number], written[number] + len(fragment))
        return structs.replace(found, pointer=node.span.pointer)


@functools.lru_cache(maxsize=8)
def of(path: str, text: str) -> SourceFile:
    """Return the source of a text, cut into lines once, however many findings point into it."""
    return SourceFile(path, text)


@functools.lru_cache(maxsize=8)
def _occurrences(text: str, fragment: str, start: int, end: int) -> list[int]:
    """Return where a fragment stands in a part of a text; kept, since many findings may ask about one scalar."""
    found: list[int] = []
    position = text.find(fragment, start, end) if fragment else -1
    while position >= 0:
        found.append(position)
        position = text.find(fragment, position + 1, end)
    return found
