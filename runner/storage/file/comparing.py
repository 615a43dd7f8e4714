"""Which stretches of an image hold data, and where two images differ."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from runner.registry import driver, extents
from runner.storage.file import fiemap

# Large enough that reading and comparing stay in C code, small enough for several threads at once.
_WINDOW = 1 << 20
_GRAIN = 1 << 16


def data_of(descriptor: int, size: int) -> Iterator[driver.Extent]:
    """Yield the extents that the file system says may hold data.

    Offsets are taken as the file system gives them: aligning one down can point back into the hole before it, and
    the search would never end.
    """
    offset = 0
    while offset < size:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        if start >= size:
            return
        offset = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        yield driver.Extent(offset=start, length=offset - start)


def differences(old: int, old_size: int, new: int, new_size: int) -> Iterator[driver.Extent]:
    """Yield where a newer image differs from an older one that is not larger.

    Holes of both are never read, and neither is what both share on the disk.
    """
    data = extents.union(data_of(old, old_size), data_of(new, new_size))
    for extent in extents.without(data, fiemap.shared(old, new)):
        yield from _compare(old, new, extent)


def _compare(old: int, new: int, extent: driver.Extent) -> Iterator[driver.Extent]:
    ours, theirs = bytearray(_WINDOW), bytearray(_WINDOW)
    first: int | None = None
    for offset in range(extent.offset, extent.end, _WINDOW):
        length = min(_WINDOW, extent.end - offset)
        _fill(new, ours, offset, length)
        _fill(old, theirs, offset, length)
        for start, differs in _grains(ours, theirs, length):
            if differs and first is None:
                first = offset + start
            if not differs and first is not None:
                yield driver.Extent(offset=first, length=offset + start - first)
                first = None
    if first is not None:
        yield driver.Extent(offset=first, length=extent.end - first)


def _grains(ours: bytearray, theirs: bytearray, length: int) -> Iterator[tuple[int, bool]]:
    if ours == theirs:
        yield 0, False
        return
    for start in range(0, length, _GRAIN):
        yield start, ours[start : start + _GRAIN] != theirs[start : start + _GRAIN]


def _fill(descriptor: int, target: bytearray, offset: int, length: int) -> None:
    """Read as much as there is; behind the end of the file a volume is zero."""
    filled = 0
    view = memoryview(target)
    while filled < length:
        count = os.preadv(descriptor, [view[filled:length]], offset + filled)
        if not count:
            break
        filled += count
    target[filled:] = bytes(len(target) - filled)
