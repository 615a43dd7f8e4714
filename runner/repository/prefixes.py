"""Which chunks are certainly in no segment: a filter over all of an index, made where it is asked often."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence
from typing import Protocol

# One part of the filter for each first byte of an id, so that who looks up little pays for little.
_PARTS = 256
_PREFIX_BITS = 24
# With four to eight bits for each record, one in nine to one in five chunks that are nowhere has to be looked for.
_BITS_PER_RECORD = 4
_LEAST_BITS = 1 << 10
# Making a part takes as long as looking into the segments about that often.
_WORTHWHILE = 12


class Prefixes(Protocol):
    """The sorted prefixes of a segment: the first four bytes of each id, as integers."""

    @property
    def count(self) -> int:
        """How many records there are."""

    def between(self, low: int, high: int) -> array[int]:
        """Return those from `low` up to but not including `high`."""


class PrefixFilter:
    """Tells of most prefixes that are in no segment that they are in none; safe from several threads.

    A first export of a large volume leaves hundreds of segments. To look into each of them for every new chunk would
    take longer than to compress it.

    Args:
        segments: What it covers; more may be added.
    """

    def __init__(self, segments: Sequence[Prefixes]) -> None:
        self._segments = list(segments)
        self._records = sum(segment.count for segment in segments)
        wanted = max(_LEAST_BITS, self._records * _BITS_PER_RECORD // _PARTS)
        bits = min(_PREFIX_BITS, wanted.bit_length())
        self._size = 1 << bits >> 3
        self._shift = _PREFIX_BITS - bits
        self._parts: list[bytearray | None] = [None] * _PARTS
        self._asked = [0] * _PARTS
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether there are so many records that a larger filter would tell much more."""
        return self._shift > 0 and self._records * _BITS_PER_RECORD > self._size * 8 * _PARTS * 2

    def may_hold(self, prefix: int) -> bool:
        """Tell whether a segment may have a record with this prefix."""
        number = prefix >> _PREFIX_BITS
        part = self._parts[number]
        if part is None:
            self._asked[number] += 1
            if self._asked[number] < _WORTHWHILE:
                return True
            part = self._make(number)
        bit = (prefix & 0xFFFFFF) >> self._shift
        return bool(part[bit >> 3] & 1 << (bit & 7))

    def add(self, segment: Prefixes) -> None:
        """Cover one more segment."""
        with self._lock:
            self._segments.append(segment)
            self._records += segment.count
            for number, part in enumerate(self._parts):
                if part is not None:
                    self._fill(part, number, segment)

    def _make(self, number: int) -> bytearray:
        with self._lock:
            part = self._parts[number]
            if part is None:
                part = bytearray(self._size)
                for segment in self._segments:
                    self._fill(part, number, segment)
                self._parts[number] = part
        return part

    def _fill(self, part: bytearray, number: int, segment: Prefixes) -> None:
        shift = self._shift
        for prefix in segment.between(number << _PREFIX_BITS, (number + 1) << _PREFIX_BITS):
            bit = (prefix & 0xFFFFFF) >> shift
            part[bit >> 3] |= 1 << (bit & 7)
