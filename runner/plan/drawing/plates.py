"""What stands where inside a box: words, badges, signs; nothing reaches over its edge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import structs

from runner.plan.drawing import lettering
from runner.plan.drawing.picture import Badge, Box, Mark, Undo

PAD = 14.0
TITLE, SUBTITLE, SMALL = 14.0, 12.0, 11.0
PILL_HEIGHT = 18.0
DOT = 10.0
SIGN = 9.0
_NARROWEST, _WIDEST = 150.0, 264.0
_PILL_PAD, _PILL_GAP = 7.0, 6.0
_DOT_GAP = 4.0
_MOST_DOT_ROWS = 3


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Text with its baseline at `y`; `look` is its class in the style sheet."""

    x: float
    y: float
    text: str
    size: float
    look: str
    bold: bool = False


class Pill(msgspec.Struct, frozen=True, kw_only=True):
    """A badge in its place."""

    x: float
    y: float
    width: float
    text: str
    badge: Badge


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """A state in its place: a round sign around `x`, `y`, or a square dot from there."""

    x: float
    y: float
    mark: Mark
    radius: float = SIGN


class Plate(msgspec.Struct, kw_only=True):
    """A box with everything that stands in it, relative to its upper left corner; `rule` is the line above the undo."""

    box: Box
    width: float
    height: float = 0.0
    words: list[Words] = msgspec.field(default_factory=list)
    pills: list[Pill] = msgspec.field(default_factory=list)
    signs: list[Sign] = msgspec.field(default_factory=list)
    dots: list[Sign] = msgspec.field(default_factory=list)
    rule: float | None = None


def plates(boxes: Sequence[Box]) -> list[Plate]:
    """Fill in all boxes; they become equally wide, as wide as what stands in them asks for, within bounds."""
    width = max((_natural_width(box) for box in boxes), default=_NARROWEST)
    return [_plate(box, min(_WIDEST, max(_NARROWEST, width))) for box in boxes]


def _natural_width(box: Box) -> float:
    sign = 2 * SIGN + 6 if box.mark is not None else 0.0
    rows = [
        lettering.width(box.title, TITLE, bold=True) + sign,
        lettering.width(box.subtitle, SUBTITLE),
        *(lettering.width(fact, SUBTITLE) for fact in box.facts),
        *(lettering.width(badge.text, SMALL) + 2 * _PILL_PAD for badge in box.badges),
        *(_key_width(box.undo) + lettering.width(undo.function, SMALL) + 16 for undo in box.undo),
    ]
    return max(rows) + 2 * PAD


def _plate(box: Box, width: float) -> Plate:
    made = Plate(box=box, width=width)
    room = width - 2 * PAD
    beside = room - (2 * SIGN + 6 if box.mark is not None else 0)
    made.words.append(_words(made, 27, box.title, TITLE, "name", beside, bold=True))
    made.words.append(_words(made, 45, box.subtitle, SUBTITLE, "quiet", room))
    if box.mark is not None:
        made.signs.append(Sign(x=width - PAD - SIGN, y=22, mark=box.mark))
    at = 55.0
    for fact in box.facts:
        made.words.append(_words(made, at + 8, fact, SUBTITLE, "quiet", room))
        at += 17
    at = _add_pills(made, at, room)
    at = _add_dots(made, at, room)
    at = _add_undo(made, at, room)
    made.height = at + 5
    return made


def _words(made: Plate, y: float, text: str, size: float, look: str, room: float, *, bold: bool = False) -> Words:
    return Words(x=PAD, y=y, text=lettering.fitted(text, size, room, bold=bold), size=size, look=look, bold=bold)


def _add_pills(made: Plate, at: float, room: float) -> float:
    x, y = PAD, at + 2
    for badge in made.box.badges:
        text = lettering.fitted(badge.text, SMALL, room - 2 * _PILL_PAD)
        width = lettering.width(text, SMALL) + 2 * _PILL_PAD
        if x > PAD and x + width > PAD + room:
            x, y = PAD, y + PILL_HEIGHT + 5
        made.pills.append(Pill(x=x, y=y, width=width, text=text, badge=badge))
        x += width + _PILL_GAP
    return y + PILL_HEIGHT + 7 if made.pills else at


def _add_dots(made: Plate, at: float, room: float) -> float:
    marks = made.box.instances
    if not marks:
        return at
    row = int((room + _DOT_GAP) // (DOT + _DOT_GAP))
    shown = marks if len(marks) <= row * _MOST_DOT_ROWS else marks[: row * _MOST_DOT_ROWS]
    for index, mark in enumerate(shown):
        x, y = PAD + index % row * (DOT + _DOT_GAP), at + 2 + index // row * (DOT + _DOT_GAP)
        made.dots.append(Sign(x=x, y=y, mark=mark, radius=DOT / 2))
    at += 2 + -(-len(shown) // row) * (DOT + _DOT_GAP) + 3
    if len(shown) < len(marks):
        text = f"and {len(marks) - len(shown):,} more"
        made.words.append(_words(made, at + 8, text, SMALL, "quiet", room))
        at += 16
    return at


def _add_undo(made: Plate, at: float, room: float) -> float:
    if not made.box.undo:
        return at
    made.rule = at + 3
    at += 7
    indent = _key_width(made.box.undo)
    for undo in made.box.undo:
        sign = 16.0 if undo.mark is not None else 0.0
        made.words += _undo_words(made, at + 12, undo, indent, room - sign)
        if undo.mark is not None:
            made.signs.append(Sign(x=made.width - PAD - 6, y=at + 8, mark=undo.mark, radius=6))
        at += 16
    return at + 1


def _undo_words(made: Plate, y: float, undo: Undo, indent: float, room: float) -> Iterator[Words]:
    yield _words(made, y, undo.key, SMALL, "faint", indent)
    found = _words(made, y, undo.function, SMALL, "quiet", room - indent)
    yield structs.replace(found, x=PAD + indent)


def _key_width(undo: Sequence[Undo]) -> float:
    return max((lettering.width(each.key, SMALL) for each in undo), default=0.0) + 8
