"""Reading and writing one raw image."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from runner.base import errors, files
from runner.registry import driver
from runner.storage.file import comparing, copying, failures, layout

_TOKEN = "user.blueprint-runner.token"


class Reader:
    """Reads an image through one descriptor, which its opener closes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

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
    """Writes a new image under a temporary name; its opener closes the descriptor and removes what is left."""

    def __init__(self, descriptor: int, temporary: Path, target: Path, *, overwrite: bool, token: str) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._temporary = temporary
        self._target = target
        self._overwrite = overwrite
        self._token = token

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write within the volume."""
        rest = memoryview(data).cast("B")
        if offset < 0 or offset + len(rest) > self._size:
            raise ValueError("a write reaches over the end of the volume")
        with failures.translated(self._target):
            while rest:
                count = os.pwrite(self._descriptor, rest, offset)
                offset += count
                rest = rest[count:]

    def commit(self) -> None:
        """Make the image durable and give it its name; an image that it replaces passes on its owner and mode."""
        with failures.translated(self._target):
            if self._overwrite and self._target.exists():
                copying.copy_metadata(self._target, self._temporary)
                os.utime(self._temporary)
            with contextlib.suppress(OSError):  # the file system has no attributes; then `made_with` finds none
                os.setxattr(self._descriptor, _TOKEN, self._token.encode())
            os.fsync(self._descriptor)
            files.publish(self._temporary, self._target, overwrite=self._overwrite)


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
    """Start a new image beside its final name; without a commit nothing is left of it, nor of directories made for it.

    Raises:
        EnvironmentProblem: RT310 if there is something already that may not be replaced.
    """
    target = layout.volume_path(volume)
    prefix = prefix_of(target)
    with failures.translated(volume):
        _refuse(target, overwrite=overwrite)
        layout.sweep(target.parent, prefix, now)
        made = [parent for parent in target.parents if not parent.exists()]
    temporary = target.with_name(prefix + files.temporary_name())
    try:
        with failures.translated(volume):
            files.make_directories(target.parent)
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with failures.translated(volume):
                os.ftruncate(descriptor, size_bytes)
            yield Writer(descriptor, temporary, target, overwrite=overwrite, token=token)
        finally:
            os.close(descriptor)
    finally:
        temporary.unlink(missing_ok=True)
        for parent in made:
            with contextlib.suppress(OSError):  # it holds the volume, or what somebody else put there
                parent.rmdir()


def _refuse(target: Path, *, overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise failures.exists(target)
    if not stat.S_ISREG(target.lstat().st_mode):
        raise errors.EnvironmentProblem(
            f"{target} exists and is no image, so it is not replaced", code="RT310", hint="choose another target"
        )


def prefix_of(target: Path) -> str:
    """Return how the temporary names of an image start."""
    return f".{target.name}."


def token_of(path: Path) -> str:
    """Return the token that an image was created with; empty when it carries none."""
    try:
        return os.getxattr(path, _TOKEN).decode()
    except OSError:
        return ""
