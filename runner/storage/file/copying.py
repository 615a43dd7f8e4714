"""Copying an image or a tree within one machine: by reflink where the file system can, else only what holds data."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from runner.base import cancel as cancels
from runner.base import own_places, temporary
from runner.registry import driver
from runner.storage import new_file
from runner.storage.file import comparing

_FICLONE = 0x40049409
_CANNOT_CLONE = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS})
# A kernel copy cannot be interrupted, so it is asked for in pieces that take well below a second.
_PIECE = 64 << 20


def copy_image(source: Path, target: Path, cancel: cancels.CancelToken, space: temporary.Share) -> str:
    """Copy an image into a new file and make it durable; what is not shared takes space.

    Returns:
        How it was done, for people.

    Raises:
        StorageUnavailable: If somebody wrote to the image while it was copied, so that the copy is of no moment.
    """
    with _reading(source) as old, _creating(target) as new:
        if _clone(old, new):
            os.fsync(new)
            return "reflink"
        before = os.fstat(old)
        if space.is_limited:
            space.take(sum(extent.length for extent in comparing.data_of(old, before.st_size)))
        _copy_data(old, new, before.st_size, cancel)
        after = os.fstat(old)
        if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
            raise driver.StorageUnavailable(
                f"{source} was written to while it was copied",
                hint="stop its writer during the snapshot, or put it on a file system with reflinks (XFS, Btrfs)",
            )
        os.fsync(new)
    return f"sparse copy: {_file_system(source)} has no reflinks"


def copy_tree(
    source: Path, target: Path, own: own_places.OwnPlaces, cancel: cancels.CancelToken, space: temporary.Share
) -> str:
    """Copy a directory with everything in it, durably; file after file, each by reflink if possible.

    Hard links stay links among each other. Sockets and what is the runner's own are left out. Ownership is kept as far
    as the user may.

    Returns:
        How it was done, for people.
    """
    return _Tree(own, cancel, space).copy(source, target)


class _Tree:
    def __init__(self, own: own_places.OwnPlaces, cancel: cancels.CancelToken, space: temporary.Share) -> None:
        self._own = own.identities()
        self._cancel = cancel
        self._space = space
        self._left_out = False
        self._links: dict[tuple[int, int], Path] = {}
        self._methods: set[str] = set()

    def copy(self, source: Path, target: Path) -> str:
        self._directory(source, target)
        done = "file by file: " + ", ".join(sorted(self._methods)) if self._methods else "no files to copy"
        return f"{done}; without what belongs to the runner itself" if self._left_out else done

    def _directory(self, source: Path, target: Path) -> None:
        target.mkdir(0o700)
        with os.scandir(source) as entries:
            for entry in entries:
                self._cancel.raise_if_cancelled()
                self._entry(Path(entry.path), target / entry.name, entry.stat(follow_symlinks=False))
        with _reading(target) as descriptor:  # opened first: the mode may forbid it afterwards
            new_file.copy_metadata(source, target)
            os.fsync(descriptor)

    def _entry(self, source: Path, target: Path, facts: os.stat_result) -> None:
        if (facts.st_dev, facts.st_ino) in self._own:
            self._left_out = True
            return
        first = self._links.setdefault((facts.st_dev, facts.st_ino), target)
        if stat.S_ISDIR(facts.st_mode):
            self._directory(source, target)
        elif first != target:
            os.link(first, target, follow_symlinks=False)
        elif stat.S_ISREG(facts.st_mode):
            self._methods.add(copy_image(source, target, self._cancel, self._space))
            new_file.copy_metadata(source, target)
        elif stat.S_ISLNK(facts.st_mode):
            target.symlink_to(source.readlink())
            new_file.copy_metadata(source, target)
        elif not stat.S_ISSOCK(facts.st_mode):
            os.mknod(target, facts.st_mode, facts.st_rdev)
            new_file.copy_metadata(source, target)


def _clone(old: int, new: int) -> bool:
    try:
        fcntl.ioctl(new, _FICLONE, old)
    except OSError as error:
        if error.errno not in _CANNOT_CLONE:
            raise
        return False
    return True


def _copy_data(old: int, new: int, size: int, cancel: cancels.CancelToken) -> None:
    os.ftruncate(new, size)
    for extent in comparing.data_of(old, size):
        offset = extent.offset
        while offset < extent.end:
            cancel.raise_if_cancelled()
            count = os.copy_file_range(old, new, min(_PIECE, extent.end - offset), offset, offset)
            if not count:
                return
            offset += count


def _file_system(path: Path) -> str:
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[2] == wanted:
                return fields[fields.index("-") + 1]
    return "the file system"


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _creating(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
