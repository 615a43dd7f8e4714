"""Reading and writing one raw image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from runner.registry import driver
from runner.storage import failures, new_file
from runner.storage.file import comparing, layout

_WRITE_OUT = 32 * 1024 * 1024


class Reader:
    """Reads an image through one descriptor, which its opener closes."""

    def __init__(self, descriptor: int, size_bytes: int | None = None) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size if size_bytes is None else size_bytes

    @property
    def size_bytes(self) -> int:
        """Size of the volume."""
        return self._size

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""
        rest = target.cast("B")
        with failures.translated("a snapshot"):
            while rest:
                count = os.preadv(self._descriptor, [rest], offset)
                if not count:
                    raise driver.StorageError(f"the snapshot ends at byte {offset}, before what is to be read")
                offset += count
                rest = rest[count:]

    def allocated(self) -> Iterator[driver.Extent]:
        """Yield the extents that hold data."""
        with failures.translated("a snapshot"):
            yield from comparing.data_of(self._descriptor, self._size)


class Writer:
    """Writes a new image; its opener closes the descriptor.

    Args:
        descriptor: The file, which has its size already.
        new: Its place.
    """

    def __init__(self, descriptor: int, new: new_file.NewFile) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._new = new
        self._waiting = 0

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write within the volume; the system begins to bring it to the disk meanwhile, so that the commit is short."""
        write(self._descriptor, offset, data, self._size, self._new.target)
        # Threads may count past each other; the disk is only told a little sooner or later then.
        self._waiting += len(data)
        if self._waiting >= _WRITE_OUT:
            self._waiting = 0
            with failures.translated(self._new.target):
                # Linux writes out what is dirty before it lets go of what is clean.
                os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def commit(self) -> None:
        """Make the image durable and give it its name."""
        self._new.commit()


def write(descriptor: int, offset: int, data: bytes | bytearray | memoryview, size_bytes: int, path: Path) -> None:
    """Write all of some data within a volume of a size; the path is for errors."""
    rest = memoryview(data).cast("B")
    if offset < 0 or offset + len(rest) > size_bytes:
        raise ValueError("a write reaches over the end of the volume")
    with failures.translated(path):
        while rest:
            count = os.pwrite(descriptor, rest, offset)
            offset += count
            rest = rest[count:]


@contextmanager
def opened(snapshot: driver.Snapshot) -> Iterator[int]:
    """Open the image of a snapshot for reading.

    Raises:
        StorageError: RT306 if it is the snapshot of a directory.
    """
    path = Path(snapshot.path)
    with failures.translated(path):
        if path.is_dir():
            raise driver.StorageError(
                f"{snapshot.id} is the snapshot of a directory, which has no blocks",
                code="RT306",
                hint="back up its path with BackupFiles",
            )
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def created(volume: str, size_bytes: int, now: datetime, *, overwrite: bool, token: str) -> Iterator[Writer]:
    """Start a new image beside its final name.

    Raises:
        EnvironmentProblem: RT310 if there is something already that may not be replaced.
    """
    with new_file.started(layout.volume_path(volume), now, overwrite=overwrite, token=token) as new:
        with failures.translated(volume):
            descriptor = os.open(new.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with failures.translated(volume):
                os.ftruncate(descriptor, size_bytes)
            yield Writer(descriptor, new)
        finally:
            os.close(descriptor)
