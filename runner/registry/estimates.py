"""What a call would read, and in which way, told before it is made: what `estimate` and `foresee` return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from runner.base import clock as clocks


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """An amount of data; `is_whole` is false where counting was cut off, so that it is at least this much."""

    bytes: int
    is_whole: bool = True


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How the blocks of a volume would be read, as far as it can be told before there is a snapshot.

    Attributes:
        method: `full` (no earlier export), `changed` (what the storage says has changed) or `rescan` (everything,
            though only what is new is stored).
        reason: Why, as a clause.
        skips: Bytes of the volume that would not have to be read if nothing more changed; None if nobody can tell.
    """

    method: str
    reason: str
    skips: int | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What will make the value of an argument: the call of another phase, with what is known of its arguments."""

    function: str
    arguments: Mapping[str, Any]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call that will be made, as far as it is known.

    Attributes:
        arguments: Those that are known, not decoded.
        made_by: For each other argument that one phase makes: that phase.
        driver: Returns a storage driver by its name, or None.
    """

    arguments: Mapping[str, Any]
    made_by: Mapping[str, Made]
    driver: Callable[[str], object | None]


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
