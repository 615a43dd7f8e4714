"""One line of a document with carets under a place, as a terminal shows it."""

from __future__ import annotations

import unicodedata

from runner.base import span as spans
from runner.document import source

_TAB = 4
_WIDEST = 120
_BEFORE = 40
# Control and format characters could colour, hide or reorder what the terminal shows.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS = frozenset({"Mn", "Me"})


def excerpt(text: source.SourceFile, span: spans.Span) -> tuple[str, str]:
    """Return the first line of a place and the line of carets under it.

    Tabs are shown as spaces and wide characters count twice, so that the carets stand where they should. A long line
    is cut around the place.
    """
    line = text.line(span.line)
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    end = max(min(end, len(line)), start)
    first = max(0, start - _BEFORE) if len(line) > _WIDEST else 0
    last = min(len(line), first + _WIDEST)
    lead, tail = "…" if first else "", "…" if last < len(line) else ""
    before = _width(_cells(line[first:start]))
    carets = "^" * max(1, _width(_cells(line[first : min(end, last)])) - before)
    shown = f"{lead}{_cells(line[first:last])}{tail}".rstrip()
    return shown, " " * (len(lead) + before) + carets


def printable(text: str) -> str:
    """Replace what would disturb a terminal."""
    return "".join("\ufffd" if unicodedata.category(character) in _HIDDEN else character for character in text)


def _cells(text: str) -> str:
    """Expand tabs to the stops of the display."""
    shown, width = [], 0
    for character in text:
        cell = " " * (_TAB - width % _TAB) if character == "\t" else printable(character)
        shown.append(cell)
        width += _width(cell)
    return "".join(shown)


def _width(text: str) -> int:
    """Count terminal columns."""
    return sum(
        0 if unicodedata.category(character) in _MARKS else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
