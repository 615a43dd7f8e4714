"""How states look: a colour and a sign in a circle, so that neither needs the other."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

# The radius for which the signs are drawn.
RADIUS = 9.0


class Look(msgspec.Struct, frozen=True):
    """The colour of a state by its class in the style sheet, its sign as a letter, and the line that draws it."""

    colour: str
    letter: str
    line: str


_AGAIN = "M3.3 -1.6A3.7 3.7 0 1 0 3.4 1.6M3.7 -4.2V-1.4H.9"
_QUESTION = "M-2.2 -1.9C-2 -4.6 2.6 -4.4 2.3 -1.7C2.1 0 0 -.2 0 1.5M0 3.9h.01"

LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "succeeded": Look("green", "✓", "M-3.9 .2L-1.2 2.9L3.9 -2.8"),
        "failed": Look("red", "✗", "M-2.9 -2.9L2.9 2.9M2.9 -2.9L-2.9 2.9"),
        "tolerated": Look("amber", "!", "M0 -4.2V.8M0 3.8h.01"),
        "cancelled": Look("amber", "■", "M-2.5 -2.5H2.5V2.5H-2.5Z"),
        "skipped": Look("grey", "»", "M-3.4 -3L.3 0L-3.4 3M3.1 -3.1V3.1"),
        "not_run": Look("grey", "–", "M-3.4 0H3.4"),
        "pending": Look("grey", "·", "M0 0h.01"),
        "running": Look("blue", "▸", "M-2 -3.4L3.4 0L-2 3.4Z"),
        "unwinding": Look("amber", "▸", "M-2 -3.4L3.4 0L-2 3.4Z"),
        "waiting": Look("amber", "‖", "M-2 -3V3M2 -3V3"),
        "retrying": Look("amber", "↻", _AGAIN),
        "attempt_failed": Look("amber", "↻", _AGAIN),
        "in_doubt": Look("amber", "?", _QUESTION),
        "interrupted": Look("amber", "?", _QUESTION),
    }
)
_UNKNOWN = Look("grey", "?", _QUESTION)


def look(status: str) -> Look:
    """Return how a state looks."""
    return LOOKS.get(status, _UNKNOWN)
