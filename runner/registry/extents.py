"""Streams of extents: the one contract of everything that says which parts of a volume matter, and its arithmetic.

Whether a source lists what is allocated, what changed, or everything: its extents increase, are disjoint and not
empty, and lie within the volume; offsets and lengths need no alignment. `zero` marks what holds nothing but zeros and
need not be read. What lies between the extents is zero where allocation is listed, and as before where changes are.

Everything here is lazy: a stream may be longer than fits into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.registry import driver
from runner.registry.driver import Extent


def whole(size_bytes: int) -> Iterator[Extent]:
    """Yield everything, for sources that do not know their holes."""
    if size_bytes:
        yield Extent(offset=0, length=size_bytes)


def checked(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Pass extents on, as long as they keep the contract.

    Raises:
        StorageError: If one is empty, overlaps or goes backwards.
    """
    reached = 0
    for extent in extents:
        if extent.offset < reached or extent.length <= 0:
            raise driver.StorageError(
                f"the storage listed extents that overlap, go backwards or are empty, at byte {extent.offset}",
                hint="report this to the maintainers of the driver",
            )
        reached = extent.end
        yield extent


def merged(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Join neighbours of the same kind."""
    last: Extent | None = None
    for extent in extents:
        if last is not None and last.end == extent.offset and last.zero == extent.zero:
            last = Extent(offset=last.offset, length=last.length + extent.length, zero=last.zero)
            continue
        if last is not None:
            yield last
        last = extent
    if last is not None:
        yield last


def clipped(extents: Iterable[Extent], start: int, end: int) -> Iterator[Extent]:
    """Yield what lies within `start` and `end`."""
    for extent in extents:
        first, last = max(extent.offset, start), min(extent.end, end)
        if first < last:
            yield Extent(offset=first, length=last - first, zero=extent.zero)
        if extent.offset >= end:
            return


def union(one: Iterable[Extent], other: Iterable[Extent]) -> Iterator[Extent]:
    """Yield what is in either; zero is what nobody takes for data."""
    return merged(
        Extent(offset=start, length=end - start, zero=all(part.zero for part in (left, right) if part is not None))
        for start, end, left, right in _pieces(iter(one), iter(other))
    )


def without(extents: Iterable[Extent], removed: Iterable[Extent]) -> Iterator[Extent]:
    """Yield what is in the first and not in the second."""
    return merged(
        Extent(offset=start, length=end - start, zero=left.zero)
        for start, end, left, right in _pieces(iter(extents), iter(removed))
        if left is not None and right is None
    )


def zero_outside(extents: Iterable[Extent], allocated: Iterable[Extent]) -> Iterator[Extent]:
    """Yield the same stretches, marked as zero where nothing is allocated."""
    return merged(
        Extent(offset=start, length=end - start, zero=left.zero or right is None)
        for start, end, left, right in _pieces(iter(extents), iter(allocated))
        if left is not None
    )


def _pieces(one: Iterator[Extent], other: Iterator[Extent]) -> Iterator[tuple[int, int, Extent | None, Extent | None]]:
    """Cut two streams at each other's ends: start and end of each piece, and the extents that it is part of."""
    left, right = next(one, None), next(other, None)
    reached = 0
    while left is not None or right is not None:
        heads = [extent for extent in (left, right) if extent is not None]
        start = max(reached, min(extent.offset for extent in heads))
        end = min(extent.end if extent.offset <= start else extent.offset for extent in heads)
        yield start, end, _covering(left, start), _covering(right, start)
        reached = end
        left = next(one, None) if left is not None and left.end <= end else left
        right = next(other, None) if right is not None and right.end <= end else right


def _covering(extent: Extent | None, offset: int) -> Extent | None:
    return extent if extent is not None and extent.offset <= offset else None
