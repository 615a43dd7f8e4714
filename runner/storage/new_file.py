"""A new image beside its final name: whole and durable at the commit, or not there at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from runner.base import errors, files
from runner.storage import failures, leftovers

_TOKEN = "user.blueprint-runner.token"


class NewFile:
    """A file in the making.

    Args:
        path: Where it is written.
        target: Its final name.
        overwrite: Whether a file of that name is replaced.
        token: Put on it as an attribute, where the file system has attributes.
    """

    def __init__(self, path: Path, target: Path, *, overwrite: bool, token: str) -> None:
        self.path = path
        self.target = target
        self._overwrite = overwrite
        self._token = token

    def commit(self) -> None:
        """Make the file durable and give it its name; a file that it replaces passes on its owner and mode."""
        with failures.translated(self.target):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if self._overwrite and self.target.exists():
                    copy_metadata(self.target, self.path)
                    os.utime(self.path)
                with contextlib.suppress(OSError):  # the file system has no attributes; then `made_with` finds none
                    os.setxattr(self.path, _TOKEN, self._token.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            files.publish(self.path, self.target, overwrite=self._overwrite)


@contextlib.contextmanager
def started(target: Path, now: datetime, *, overwrite: bool, token: str) -> Iterator[NewFile]:
    """Give a place for a new file; without a commit nothing is left of it, nor of directories made for it.

    Raises:
        EnvironmentProblem: RT310 if there is something already that may not be replaced.
    """
    prefix = _prefix_of(target)
    with failures.translated(target):
        _refuse(target, overwrite=overwrite)
        leftovers.sweep(target.parent, prefix, now)
        made = [parent for parent in target.parents if not parent.exists()]
    temporary = target.with_name(prefix + files.temporary_name())
    try:
        with failures.translated(target):
            files.make_directories(target.parent)
        yield NewFile(temporary, target, overwrite=overwrite, token=token)
    finally:
        temporary.unlink(missing_ok=True)
        for parent in made:
            with contextlib.suppress(OSError):  # it holds the volume, or what somebody else put there
                parent.rmdir()


def made_with(target: Path, token: str, now: datetime) -> bool:
    """Tell whether a file carries this token; False where the file system has no extended attributes.

    Whoever asks has lost its own attempt, so what dead processes left beside the file is removed.
    """
    with failures.translated(target):
        leftovers.sweep(target.parent, _prefix_of(target), now)
    try:
        return bool(token) and os.getxattr(target, _TOKEN).decode() == token
    except OSError:
        return False


def copy_metadata(source: Path, target: Path) -> None:
    """Give a copy the owner, attributes, mode and times of its source; what the user may not set is left."""
    facts = source.lstat()
    with contextlib.suppress(PermissionError):
        os.chown(target, facts.st_uid, facts.st_gid, follow_symlinks=False)
    for name in os.listxattr(source, follow_symlinks=False):
        with contextlib.suppress(PermissionError):
            os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)
    if not stat.S_ISLNK(facts.st_mode):
        target.chmod(stat.S_IMODE(facts.st_mode))
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns), follow_symlinks=False)


def _refuse(target: Path, *, overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise failures.exists(target)
    if not stat.S_ISREG(target.lstat().st_mode):
        raise errors.EnvironmentProblem(
            f"{target} exists and is no image, so it is not replaced",
            code="RT310",
            hint="choose another target; a block device is written in place with `mode: differences`",
        )


def _prefix_of(target: Path) -> str:
    return f".{target.name}."
