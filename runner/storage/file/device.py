"""What the kernel tells about a block device: its size, who holds it, and how much was ever written to it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

_BLKGETSIZE64 = 0x80081272
_SIZE = struct.Struct("=Q")
_SECTORS_WRITTEN = 6


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """Where a device is mounted."""

    place: str
    writable: bool


def is_device(path: Path) -> bool:
    """Tell whether a path leads to a block device."""
    with contextlib.suppress(OSError):
        return stat.S_ISBLK(path.stat().st_mode)
    return False


def size_of(descriptor: int) -> int:
    """Return the size of an open device or file in bytes."""
    facts = os.fstat(descriptor)
    if not stat.S_ISBLK(facts.st_mode):
        return facts.st_size
    (size,) = _SIZE.unpack(fcntl.ioctl(descriptor, _BLKGETSIZE64, bytes(_SIZE.size)))
    return int(size)


def opened_alone(path: Path, flags: int) -> int | None:
    """Open a device as the only one who may; None while a mount or another device holds it.

    Who opens it without asking to be alone is not kept out: `sectors_written` tells.
    """
    try:
        return os.open(path, flags | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return None


def mounts_of(path: Path) -> list[Mount]:
    """Return where a device, or a partition of it, is mounted."""
    numbers = set(_numbers(path))
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split()
        if fields[2] in numbers:
            # The options of the file system, not of this one of its mounts, say whether it may write.
            writable = "rw" in fields[-1].split(",")
            found.append(Mount(place=fields[4], writable=writable))
    return found


def sectors_written(path: Path) -> int | None:
    """Return a count that rises with every write to a device since it exists; None where the kernel does not count."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((_sys(path.stat().st_rdev) / "stat").read_text().split()[_SECTORS_WRITTEN])
    return None


def loops_over(path: Path) -> list[str]:
    """Return the loop devices that are made of a file."""
    facts = path.stat()
    found = []
    for backing in sorted(Path("/sys/block").glob("loop*/loop/backing_file")):
        with contextlib.suppress(OSError):
            other = Path(backing.read_text().rstrip("\n")).stat()
            if (other.st_dev, other.st_ino) == (facts.st_dev, facts.st_ino):
                found.append(f"/dev/{backing.parts[3]}")
    return found


def _sys(number: int) -> Path:
    return Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")


def _numbers(path: Path) -> Iterator[str]:
    home = _sys(path.stat().st_rdev)
    yield home.name
    for partition in home.glob("*/dev"):
        yield partition.read_text().strip()
