"""Files that are either whole and durable or not there: writing, publishing under a name, and sweeping leftovers."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from runner.base import errors, ids, owner, quantities

_MOST_BUFFERS = 1024  # IOV_MAX of Linux
_RENAME_NOREPLACE = 1
_CANNOT_LINK = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_CANNOT_FLUSH = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})
_CANNOT_RENAME_EXCLUSIVELY = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

# Leftovers of processes that cannot be seen from here (another machine on a shared directory) go after this time.
_FOREIGN = timedelta(days=1)


def problem_of(error: OSError, path: str | os.PathLike[str]) -> errors.EnvironmentProblem | None:
    """Return what a full disk (RT312) or a missing permission (RT311) is for a person, else None."""
    if error.errno in _FULL:
        return errors.EnvironmentProblem(
            f"the disk of {os.fspath(path)} is full: {_free(path)} free",
            code="RT312",
            details=str(error),
            hint="make room there, or use another place",
        )
    if error.errno in _DENIED:
        return errors.EnvironmentProblem(
            f"{os.fspath(path)} cannot be used: {error.strerror}",
            code="RT311",
            hint="check the owner and the mode of the path, and whether it is mounted read-only",
        )
    return None


def _free(path: str | os.PathLike[str]) -> str:
    for place in (Path(path), *Path(path).parents):
        with contextlib.suppress(OSError):
            facts = os.statvfs(place)
            return quantities.bytes_for_people(facts.f_bavail * facts.f_frsize)
    return "an unknown amount"


def write_all(descriptor: int, data: Sequence[bytes | bytearray | memoryview]) -> None:
    """Write all buffers, however little the kernel takes at a time."""
    rest = [view for view in (memoryview(buffer).cast("B") for buffer in data) if len(view)]
    first = 0
    while first < len(rest):
        written = os.writev(descriptor, rest[first : first + _MOST_BUFFERS])
        while first < len(rest) and written >= len(rest[first]):
            written -= len(rest[first])
            first += 1
        if written:
            rest[first] = rest[first][written:]


def flush_directory(path: str | os.PathLike[str]) -> None:
    """Make the names in a directory durable, where its file system lets anybody ask for that (SMB may not)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace a small file as a whole, durably."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            write_all(descriptor, [data])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    flush_directory(path.parent)


def make_directories(path: Path, mode: int = 0o700) -> None:
    """Make a directory and its missing parents, durably."""
    missing = [place for place in (path, *path.parents) if not place.exists()]
    for place in reversed(missing):
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode)
        flush_directory(place.parent)


def publish(temporary: Path, target: Path, *, overwrite: bool) -> None:
    """Give a finished temporary file its name, durably.

    Raises:
        FileExistsError: If the name is taken and `overwrite` is false; the temporary file is left.
    """
    if overwrite:
        temporary.replace(target)
    else:
        _link(temporary, target)
    try:
        flush_directory(target.parent)
    except OSError:
        if not overwrite:
            target.unlink(missing_ok=True)
        raise


def _link(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target, follow_symlinks=False)
    except FileExistsError:
        # Over NFS the answer to a link that was made can get lost, and the repeated request is refused.
        if not temporary.samefile(target):
            raise
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        _rename(temporary, target)
        return
    temporary.unlink()


def _rename(temporary: Path, target: Path) -> None:
    try:
        rename_exclusively(temporary, target)
    except OSError as error:
        if error.errno not in _CANNOT_RENAME_EXCLUSIVELY:
            raise
        # A file system with neither (SMB in user space): of two at the same moment the last one wins.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target)) from None
        temporary.rename(target)


def rename_exclusively(source: Path, target: Path) -> None:
    """Rename a file or directory without replacing anything.

    Raises:
        FileExistsError: If the target exists.
        OSError: EINVAL or ENOSYS where the file system cannot do this.
    """
    # Hardly ever called, and slow to import.
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    here = ctypes.c_int(-100)  # AT_FDCWD
    if library.renameat2(here, os.fsencode(source), here, os.fsencode(target), ctypes.c_uint(_RENAME_NOREPLACE)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(source), None, os.fspath(target))


def temporary_name() -> str:
    """Return a fresh name for a temporary file that says which process owns it; it ends in `~`."""
    return f"{owner.current()}.{ids.base32(ids.random_bytes(5), 8)}~"


def is_leftover(entry: os.DirEntry[str], now: datetime, *, prefix: str = "") -> bool:
    """Tell whether an entry has a temporary name behind the prefix, and nobody will ever finish it."""
    name, dot, drawn = entry.name.removeprefix(prefix).rpartition(".")
    if not dot or not drawn.endswith("~"):
        return False
    try:
        made_by = owner.parse(name)
    except ValueError:
        return False
    if owner.is_gone(made_by):
        return True
    if made_by.boot == owner.current().boot and made_by.namespace == owner.current().namespace:
        return False
    return now.timestamp() - entry.stat(follow_symlinks=False).st_mtime > _FOREIGN.total_seconds()
