"""Which stretches two files of one file system share: they lie at the same place of the disk, so they are equal."""

from __future__ import annotations

import errno
import fcntl
import struct
from collections.abc import Iterator
from typing import NamedTuple

from runner.registry import driver, extents

_FIEMAP = 0xC020660B
_HEAD = struct.Struct("=QQLLLL")
_EXTENT = struct.Struct("=QQQQQLLLL")
_AT_ONCE = 512
_SYNC = 1
_LAST = 0x1
_SHARED = 0x2000
# The place is not known yet, or is not that of the data as it is read (compressed, inline, not written yet).
_NO_PLACE = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
_CANNOT = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EBADR})


class _Placed(NamedTuple):
    offset: int
    end: int
    place: int


def shared(one: int, other: int) -> Iterator[driver.Extent]:
    """Yield the stretches at which two open files share their blocks; none where the file system does not tell.

    Only what the file system itself calls shared counts, in both: that a block was moved between the two questions to
    where the other file had one is then no concern.
    """
    return extents.merged(_meeting(_placed(one), _placed(other)))


def _meeting(left: Iterator[_Placed], right: Iterator[_Placed]) -> Iterator[driver.Extent]:
    a, b = next(left, None), next(right, None)
    while a is not None and b is not None:
        start, end = max(a.offset, b.offset), min(a.end, b.end)
        if start < end and a.place - a.offset == b.place - b.offset:
            yield driver.Extent(offset=start, length=end - start)
        if a.end <= end:
            a = next(left, None)
        if b.end <= end:
            b = next(right, None)


def _placed(descriptor: int) -> Iterator[_Placed]:
    offset, last = 0, False
    while not last:
        request = bytearray(_HEAD.pack(offset, (1 << 64) - 1 - offset, _SYNC, 0, _AT_ONCE, 0))
        request += bytes(_AT_ONCE * _EXTENT.size)
        try:
            fcntl.ioctl(descriptor, _FIEMAP, request)
        except OSError as error:
            if error.errno in _CANNOT:
                return
            raise
        count = _HEAD.unpack_from(request)[3]
        last = count == 0
        for number in range(count):
            start, place, length, _, _, flags, *_ = _EXTENT.unpack_from(request, _HEAD.size + number * _EXTENT.size)
            if flags & _SHARED and not flags & _NO_PLACE:
                yield _Placed(start, start + length, place)
            offset, last = start + length, bool(flags & _LAST)
