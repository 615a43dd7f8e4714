"""Which chunks of a volume are to be read, which are zero, and which are as they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from runner.registry import extents as streams
from runner.registry.driver import Extent
from runner.repository import volume_map
from runner.repository.volume_map import CHUNK


class Region(NamedTuple):
    """A run of chunks, `first` to before `end`, that is to be read, or that is zero."""

    first: int
    end: int
    zero: bool


def regions(extents: Iterable[Extent], size_bytes: int) -> Iterator[Region]:
    """Turn extents into runs of whole chunks, increasing, disjoint and as long as possible.

    A chunk is zero only if one extent says so of all of it; a chunk that is touched otherwise is to be read.

    Args:
        extents: Increasing and disjoint; what lies beyond the end of the volume is ignored.
        size_bytes: Size of the volume.

    Raises:
        StorageError: If the extents overlap or go backwards.
    """
    pending: Region | None = None
    for region in _whole_chunks(extents, size_bytes):
        if pending is None:
            pending = region
            continue
        # Two extents may touch the same chunk, at the end of one and the start of the other.
        first = max(region.first, pending.end)
        if first >= region.end:
            continue
        if region.zero == pending.zero and first == pending.end:
            pending = Region(pending.first, region.end, pending.zero)
        else:
            yield pending
            pending = Region(first, region.end, region.zero)
    if pending is not None:
        yield pending


def _whole_chunks(extents: Iterable[Extent], size_bytes: int) -> Iterator[Region]:
    for extent in streams.clipped(streams.checked(extents), 0, size_bytes):
        end = extent.end
        outer = (extent.offset // CHUNK, volume_map.chunks_of(end))
        # The last chunk of the volume may be short; an extent that ends with the volume covers all of it.
        inner_end = volume_map.chunks_of(end) if end == size_bytes else end // CHUNK
        inner = (-(-extent.offset // CHUNK), inner_end)
        if not extent.zero or inner[0] >= inner[1]:
            yield Region(*outer, False)
            continue
        if outer[0] < inner[0]:
            yield Region(outer[0], inner[0], False)
        yield Region(*inner, True)
        if inner[1] < outer[1]:
            yield Region(inner[1], outer[1], False)


def grown(changed: Iterable[Extent], allocated: Iterable[Extent], base_bytes: int, size_bytes: int) -> Iterator[Extent]:
    """Return what differs from a base of another size: the changes within it, and all data after its end.

    The chunk in which the shorter of the two ends is always among it.
    """
    shorter = min(base_bytes, size_bytes)
    if base_bytes == size_bytes:
        yield from changed
        return
    tail = shorter // CHUNK * CHUNK
    yield from streams.clipped(changed, 0, tail)
    if shorter > tail:
        end = min(tail + CHUNK, size_bytes)
        yield Extent(offset=tail, length=end - tail)
        tail = end
    yield from streams.clipped(allocated, tail, size_bytes)
