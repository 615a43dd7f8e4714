"""A block device or raw image that nobody else uses: read without a snapshot, or brought to another content."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.base import errors
from runner.registry import driver, extents
from runner.storage import failures
from runner.storage.file import device, image, layout

_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_ZEROS = bytes(1 << 20)


class Resting(image.Reader):
    """Reads a volume itself; `confirm` says afterwards whether it was of one moment."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor, device.size_of(descriptor))
        self._path = path
        self._is_device = device.is_device(path)
        self._before = self._state()

    def allocated(self) -> Iterator[driver.Extent]:
        """Yield what may hold data: of a device everything, since it does not know its holes."""
        return extents.whole(self.size_bytes) if self._is_device else super().allocated()

    def confirm(self) -> None:
        """Make sure that nobody has written since it was opened.

        Raises:
            StorageUnavailable: If somebody has.
        """
        with failures.translated(self._path):
            if self._state() != self._before:
                raise driver.StorageUnavailable(
                    f"{self._path} was written to while it was read", hint="stop what writes to it, and try again"
                )

    def _state(self) -> tuple[int | None, ...]:
        if self._is_device:
            os.fsync(self._descriptor)  # what waits to be written is not counted yet
            return (device.sectors_written(self._path),)
        facts = os.fstat(self._descriptor)
        return facts.st_mtime_ns, facts.st_size


class Updater:
    """Reads and writes a volume in place; its opener closes the descriptor."""

    def __init__(self, descriptor: int, path: Path, size_bytes: int) -> None:
        self._descriptor = descriptor
        self._path = path
        self._reader = image.Reader(descriptor, size_bytes)
        self._punches = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self.size_bytes = size_bytes

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""
        self._reader.read_into(offset, target)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write within the volume."""
        image.write(self._descriptor, offset, data, self.size_bytes, self._path)

    def zero(self, offset: int, length: int) -> None:
        """Make a stretch zero; in an image it becomes a hole where the file system can."""
        if self._punches and _punch(self._descriptor, offset, length):
            return
        end = offset + length
        for start in range(offset, end, len(_ZEROS)):
            self.write(start, memoryview(_ZEROS)[: min(len(_ZEROS), end - start)])

    def commit(self) -> None:
        """Make everything durable."""
        with failures.translated(self._path):
            os.fsync(self._descriptor)


@contextmanager
def opened(volume: str) -> Iterator[Resting]:
    """Open a volume for reading while nobody may write to it.

    Raises:
        VolumeMissing: If it does not exist.
        StorageError: RT306 if it is neither a device nor an image; RT316 while somebody may write to it.
    """
    path = _existing(volume)
    with failures.translated(volume):
        descriptor = _readable(path) if device.is_device(path) else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield Resting(descriptor, path)
    finally:
        os.close(descriptor)


@contextmanager
def updated(volume: str, size_bytes: int) -> Iterator[Updater]:
    """Open a volume for bringing it to another content. What lies behind `size_bytes` on a device stays as it is.

    Raises:
        VolumeMissing: If it does not exist.
        StorageError: RT306 if it is neither a device nor an image.
        EnvironmentProblem: RT311 if it is too small, or in use.
    """
    path = _existing(volume)
    with failures.translated(volume):
        descriptor = _writable(path)
    try:
        with failures.translated(volume):
            _fit(descriptor, path, size_bytes)
        yield Updater(descriptor, path, size_bytes)
    finally:
        os.close(descriptor)


def _existing(volume: str) -> Path:
    path = layout.volume_path(volume)
    if not path.exists():
        raise driver.VolumeMissing(f"there is no volume {volume}", hint="check the path of the device or image")
    if not (device.is_device(path) or path.is_file()):
        raise driver.StorageError(f"{volume} is neither a block device nor a raw image", code="RT306")
    return path


def _readable(path: Path) -> int:
    descriptor = device.opened_alone(path, os.O_RDONLY)
    if descriptor is not None:
        return descriptor
    mounts = device.mounts_of(path)
    writable = [mount.place for mount in mounts if mount.writable]
    if writable or not mounts:
        raise driver.StorageError(
            f"{path} {_user(writable)}, so it cannot be read at one moment",
            code="RT316",
            hint="unmount it or mount it read-only; a device has no snapshots of its own",
        )
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _writable(path: Path) -> int:
    if not device.is_device(path):
        loops = device.loops_over(path)
        if loops:
            raise _refused(path, f"is attached as {', '.join(loops)}", "detach it (losetup -d)")
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    descriptor = device.opened_alone(path, os.O_RDWR)
    if descriptor is None:
        raise _refused(
            path, _user([mount.place for mount in device.mounts_of(path)]), "unmount it, or stop what uses it"
        )
    return descriptor


def _fit(descriptor: int, path: Path, size_bytes: int) -> None:
    size = device.size_of(descriptor)
    if not device.is_device(path):
        os.ftruncate(descriptor, size_bytes)
    elif size < size_bytes:
        raise _refused(
            path, f"has {size:,} bytes, and the volume needs {size_bytes:,}", "choose or make a larger device"
        )


def _refused(path: Path, why: str, hint: str) -> errors.EnvironmentProblem:
    return errors.EnvironmentProblem(f"{path} {why}, so nothing was written to it", code="RT311", hint=hint)


def _user(mounts: list[str]) -> str:
    return f"is mounted at {', '.join(mounts)}" if mounts else "is in use (LVM, RAID, swap, or a program)"


def _punch(descriptor: int, offset: int, length: int) -> bool:
    """Make a hole; false where the file system cannot."""
    # Hardly ever called, and slow to import.
    import ctypes

    call = ctypes.CDLL(None, use_errno=True).fallocate
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    return int(call(descriptor, _PUNCH_HOLE | _KEEP_SIZE, offset, length)) == 0
