"""Give a finished tree its place, so that nothing half-written is ever seen there."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from runner.base import errors, files
from runner.repository import tree_descent, tree_merge

Built = TypeVar("Built")

# What the tools of file systems put into an empty one.
_EMPTY = frozenset({b"lost+found"})


class Place:
    """A target and the directory where its tree is built.

    A missing target is built beside itself and renamed; into an existing one, the tree is built in a hidden directory
    inside (it may be a mount point, which cannot be renamed) and its entries are moved up. Existing files are replaced
    one by one, each at once, and only when the whole tree is there; directories are merged.

    Args:
        target: A directory, existing or not.
        token: Token of the phase; equal attempts find and replace what an interrupted one left.
        record: A file that remembers, while the run lasts, that the tree is complete and was being moved.
        overwrite: Whether existing data may be replaced.
    """

    def __init__(self, target: Path, *, token: str, record: Path, overwrite: bool) -> None:
        self._target = target.resolve()
        self._record = record
        self._overwrite = overwrite
        self._exists = os.path.lexists(self._target)
        short = os.fsdecode(os.fsencode(self._target.name)[:180])
        self._staging = (
            self._target / f".{token}.partial" if self._exists else self._target.parent / f".{short}.{token}.partial"
        )

    def is_filled(self, names: list[bytes]) -> bool:
        """Tell whether an earlier attempt already put these names in place."""
        return (
            self._record.exists()
            and not self._staging.exists()
            and all(os.path.lexists(self._inside(name)) for name in names)
        )

    def fill(self, build: Callable[[Path], Built]) -> Built:
        """Let `build` make the tree, then put it into place; on failure nothing of it is left.

        Raises:
            EnvironmentProblem: RT310 if there is data already, RT311 or RT312 if it cannot be written.
            PermanentError: RT314 if a symbolic link stands where a directory belongs.
        """
        self._check()
        made = self._make_staging()
        try:
            built = build(self._staging)
            _flush(self._staging)
            self._move()
        except BaseException:
            self._discard(made)
            raise
        return built

    def _inside(self, name: bytes) -> bytes:
        return os.path.join(os.fsencode(self._target), name)

    def _check(self) -> None:
        if not self._exists:
            return
        if not self._target.is_dir():
            raise _taken(self._target, "is not a directory", "name a directory as the target")
        # What an earlier attempt of this phase began to move may be replaced.
        if self._overwrite or self._record.exists():
            return
        held = {os.fsencode(name) for name in os.listdir(self._target)} - _EMPTY - {os.fsencode(self._staging.name)}
        if held:
            raise _taken(self._target, "holds data already", "choose another target, or allow it with --overwrite")

    def _make_staging(self) -> list[Path]:
        """Make the directory anew; return the parents that had to be made, outermost first."""
        parent = self._staging.parent
        missing = [place for place in (parent, *parent.parents) if not place.exists()][::-1]
        try:
            for place in missing:
                place.mkdir()
            self._remove_staging()
            self._staging.mkdir(0o777 if not self._exists else 0o700)
        except OSError as error:
            raise files.problem_of(error, parent) or _unusable(parent, error) from error
        return missing

    def _move(self) -> None:
        try:
            self._record.touch(mode=0o600)
            files.flush_directory(self._record.parent)
            if self._exists:
                tree_merge.merge(self._staging, self._target)
                self._staging.rmdir()
                _flush(self._target)
            else:
                self._staging.rename(self._target)
                files.flush_directory(self._target.parent)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR) and not self._exists:
                self._record.unlink(missing_ok=True)
                raise _taken(self._target, "was made by somebody else meanwhile", "choose another target") from error
            raise files.problem_of(error, self._target) or _unusable(self._target, error) from error

    def _discard(self, made: list[Path]) -> None:
        if not os.path.lexists(self._staging):
            return
        self._remove_staging()
        for place in reversed(made):
            place.rmdir()

    def _remove_staging(self) -> None:
        parent = os.open(self._staging.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            tree_descent.remove(parent, os.fsencode(self._staging.name))
        finally:
            os.close(parent)


def _taken(target: Path, what: str, hint: str) -> errors.EnvironmentProblem:
    return errors.EnvironmentProblem(f"the target {target} {what}", code="RT310", hint=hint)


def _unusable(place: Path, error: OSError) -> errors.EnvironmentProblem:
    return errors.EnvironmentProblem(
        f"{place} cannot be written: {error.strerror}", code="RT311", hint="choose another target"
    )


def _flush(directory: Path) -> None:
    """Write out the file system of a directory: some tell only now that they are full."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if library.syncfs(descriptor):
            number = ctypes.get_errno()
            error = OSError(number, os.strerror(number))
            raise files.problem_of(error, directory) or _unusable(directory, error) from error
    finally:
        os.close(descriptor)
