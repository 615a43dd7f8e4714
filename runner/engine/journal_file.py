"""The journal in a file: appended with one write and one flush per group of records, in space reserved beforehand."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

from runner.base import files
from runner.engine import events, journal

# Space is taken in steps, and a reserve is always left: a full disk then stops the run, but it can still be unwound.
_STEP = 1 << 20
_RESERVE_BASE = 256 << 10
_RESERVE_INSTANCE = 2 << 10
_AT = re.compile(rb'"at":"([^"]+)"')


def create(path: Path, first: events.Record) -> None:
    """Make a journal that holds its first record, durably (the caller flushes the directory)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        files.write_all(descriptor, [journal.encode(first, 0)])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load(path: Path) -> list[events.Record]:
    """Read the records of a journal that somebody else may be writing.

    Raises:
        JournalDamaged: RT213.
    """
    return journal.read(path.read_bytes())[0]


def created_at(path: Path) -> str:
    """Return the wall time of the first record, without reading what the record holds."""
    with path.open("rb") as stream:
        found = _AT.search(stream.read(256))
    return found[1].decode() if found else ""


class FileJournal:
    """The writing end; opening it drops an unacknowledged tail for good.

    Args:
        path: The journal, made by `create`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._failed = False
        self.is_full = False
        data = path.read_bytes()
        self.records, self._end = journal.read(data)
        # The first record holds the plan, so its size tells how much the unwind may have to write.
        self._reserve = _RESERVE_BASE + 4 * data.find(b"\n") + _reserve(self.records)
        os.ftruncate(self._descriptor, self._end)
        self._allocated = self._end

    def append(self, records: Iterable[events.Record]) -> None:
        """Write and flush records."""
        if self._failed:
            raise journal.JournalFailed(f"the journal {self._path} failed before")
        group = tuple(records)
        data = b"".join(journal.encode(record, group[0].seq) for record in group)
        self._reserve += _reserve(group)
        try:
            self._make_room(len(data))
            written = 0
            while written < len(data):
                written += os.pwrite(self._descriptor, memoryview(data)[written:], self._end + written)
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._failed = True
            raise journal.JournalFailed(
                f"the journal {self._path} cannot be written: {error.strerror}",
                hint="mend the disk, then resume the run",
            ) from error
        self._end += len(data)

    def _make_room(self, size: int) -> None:
        wanted = self._end + size + self._reserve
        if self.is_full or wanted <= self._allocated:
            return
        try:
            os.posix_fallocate(self._descriptor, 0, wanted + _STEP)
            self._allocated = wanted + _STEP
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.is_full = True

    def close(self) -> None:
        """Give unused space back and close the file."""
        if not self._failed:
            os.ftruncate(self._descriptor, self._end)
        os.close(self._descriptor)


def _reserve(records: Iterable[events.Record]) -> int:
    """Return what the unwind may have to write for the instances that these records bring into being."""
    expanded = (record.event for record in records if isinstance(record.event, events.Expanded))
    return sum(_RESERVE_INSTANCE * len(event.items) for event in expanded)
