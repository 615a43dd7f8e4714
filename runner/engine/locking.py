"""The lock of a run: whoever holds it drives. It belongs to an open file, so it ends with its process, come what may.

It is an open file description lock, which, unlike `flock`, can be asked about without being taken: people may look at
runs as often as they like without ever standing in the way of a driver.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

# struct flock: l_type, l_whence, l_start, l_len, l_pid (0 for this kind of lock).
_FORM = "hhqqi0q"


def acquire(descriptor: int) -> bool:
    """Take the lock through a writable descriptor, and hold it until the descriptor is closed; False if it is held."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _request())
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Tell whether somebody holds the lock on a file, without touching it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _request())
    finally:
        os.close(descriptor)
    kind: int = struct.unpack(_FORM, answer)[0]
    return kind != fcntl.F_UNLCK


def _request() -> bytes:
    return struct.pack(_FORM, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
