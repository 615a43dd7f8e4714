"""What the lines of a picture mean, where it has more than one kind of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from runner.plan.drawing import lettering, plates
from runner.plan.drawing.picture import Kind, Picture

_LINE, _SAMPLE, _GAP = 20.0, 24.0, 22.0

_KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.DATA: "reads data",
        Kind.NEEDS: "needs",
        Kind.ORDER: "order of the document",
        Kind.LAST: "last, whatever happened",
    }
)
_UNDO: Mapping[str, str] = MappingProxyType(
    {
        "revert": "if the action fails later, newest first",
        "cleanup": "at the end, once started",
    }
)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry in its place: a sample (the class of a link, or `export`) or a word, and what it means."""

    x: float
    y: float
    sample: str
    word: str
    text: str


def entries(picture: Picture, room: float) -> list[Entry]:
    """Return what has to be explained, from left to right in as many rows as it takes."""
    kinds = [kind for kind in _KINDS if any(link.kind is kind for link in picture.links)]
    wanted = [(kind.value, "", _KINDS[kind]) for kind in kinds] if len(kinds) > 1 else []
    if any(box.exports and box.mark is None for box in picture.boxes):
        wanted.append(("export", "", "into the repository"))
    undo = [key for key in _UNDO if any(each.key == key for box in picture.boxes for each in box.undo)]
    wanted += [("", key, _UNDO[key]) for key in undo]
    found: list[Entry] = []
    x = y = 0.0
    for sample, word, text in wanted:
        wide = _width(sample, word, text)
        if x and x + wide > room:
            x, y = 0.0, y + _LINE
        found.append(Entry(x=x, y=y, sample=sample, word=word, text=text))
        x += wide + _GAP
    return found


def height(found: Sequence[Entry]) -> float:
    """Return how much room they take."""
    return found[-1].y + _LINE + 4 if found else 0.0


def lines(found: Sequence[Entry], x: float, y: float) -> Iterator[str]:
    """Write them as SVG; `x` and `y` are their upper left corner."""
    for entry in found:
        left, middle = x + entry.x, y + entry.y + 6
        if entry.sample == "export":
            yield f'<rect class="export" x="{left:.1f}" y="{middle - 7:.1f}" width="3.5" height="14" rx="1.75"/>'
        elif entry.sample:
            sample = f'<path d="M{left:.1f} {middle:.1f}h{_SAMPLE:g}"/>'
            yield f'<g class="link {entry.sample}">{sample}</g>'
        at = left + _head(entry.sample)
        if entry.word:
            yield _text(at, middle + 4, entry.word, "faint")
            at += lettering.width(entry.word, plates.SMALL) + 4
        yield _text(at, middle + 4, entry.text, "quiet")


def _width(sample: str, word: str, text: str) -> float:
    head = lettering.width(word, plates.SMALL) + 4 if word else _head(sample)
    return head + lettering.width(text, plates.SMALL)


def _head(sample: str) -> float:
    return {"": 0.0, "export": 11.0}.get(sample, _SAMPLE + 8)


def _text(x: float, y: float, text: str, look: str) -> str:
    return f'<text class="{look}" x="{x:.1f}" y="{y:.1f}" font-size="{plates.SMALL:g}">{text}</text>'
