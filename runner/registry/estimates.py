"""How much a call would read, told before it is made: what functions return from their `estimate`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runner.base import clock as clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """An amount of data; `is_whole` is false where counting was cut off, so that it is at least this much."""

    bytes: int
    is_whole: bool = True


class Budget:
    """What all estimates of a plan together may cost: a time, and a number of entries to look at."""

    def __init__(self, clock: clocks.Clock, *, seconds: float = 1.0, entries: int = 50_000) -> None:
        self._clock = clock
        self._until = clock.monotonic() + seconds
        self._entries = entries

    def take(self) -> bool:
        """Ask to look at one more entry; false when the budget is used up."""
        self._entries -= 1
        return self._entries >= 0 and self._clock.monotonic() < self._until


def total(sizes: Iterable[Size]) -> Size:
    """Add sizes up."""
    found = list(sizes)
    return Size(bytes=sum(size.bytes for size in found), is_whole=all(size.is_whole for size in found))
