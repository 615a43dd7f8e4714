"""How wide text is at most, whatever font of the system it is set in, and how it is cut to fit."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

# Widths in em, taken from the widest of the fonts that systems set interfaces in.
_WIDTHS: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys("ijl'|.,:;!", 0.34),
        **dict.fromkeys('frtI()[]{}/\\-" ', 0.46),
        **dict.fromkeys("mwMW@%", 1.0),
        **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ+=<>~#&…×≤≥≈", 0.84),
    }
)
_OTHERWISE = 0.65
_WIDE = 1.1
_BOLD = 1.1


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return an upper bound of the width of a text, in the unit of its size."""
    return sum(map(_em, text)) * size * (_BOLD if bold else 1)


def fitted(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Return a text, cut at its end where it is wider than its room."""
    if width(text, size, bold=bold) <= room:
        return text
    kept = text
    while kept and width(f"{kept}…", size, bold=bold) > room:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def _em(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF":
        return _WIDE
    return 0 if unicodedata.combining(char) else _WIDTHS.get(char, _OTHERWISE)
