"""Give a finished tree its place, so that nothing half-written is ever seen there."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from runner.base import errors, files
from runner.repository import tree_descent, tree_entry, tree_merge

Built = TypeVar("Built")


class Place:
    """A target and the directory where its tree is built.

    A missing target is built beside itself and renamed; into an existing one, the tree is built in a hidden directory
    inside (it may be a mount point, which cannot be renamed) and its entries are moved up. Existing files are replaced
    one by one, each at once, and only when the whole tree is there; directories are merged.

    Args:
        target: A directory, existing or not.
        names: What the tree puts there.
        token: Token of the phase; equal attempts find and replace what an interrupted one left.
        record: A file that remembers, while the run lasts, that the tree is complete and was being moved.
        overwrite: Whether what has one of the names may be replaced.
    """

    def __init__(self, target: Path, names: list[bytes], *, token: str, record: Path, overwrite: bool) -> None:
        self._target = target.resolve()
        self._names = names
        self._token = token
        self._record = record
        self._overwrite = overwrite
        self._exists = os.path.lexists(self._target)
        self._beside, self._within = _stagings(self._target, token)
        self._staging = self._within if self._exists else self._beside

    @property
    def is_filled(self) -> bool:
        """Whether an earlier attempt already put everything in place."""
        is_moving = self._beside.exists() or self._within.exists()
        return self._record.exists() and not is_moving and self._taken() == self._names

    def fill(self, build: Callable[[Path], Built]) -> Built:
        """Let `build` make the tree, then put it into place; on failure nothing of it is left.

        Raises:
            EnvironmentProblem: RT310 if there is data already, RT311 or RT312 if it cannot be written.
            PermanentError: RT314 if a symbolic link stands where a directory belongs.
        """
        if self._exists and not self._target.is_dir():
            raise _refused(f"the target {self._target} is not a directory", "name a directory as the target")
        # What an earlier attempt of this phase began to move may be replaced.
        self._overwrite = self._overwrite or self._record.exists()
        self._refuse_to_replace()
        made = self._make_staging()
        try:
            built = build(self._staging)
            _flush(self._staging)
            self._move()
        except BaseException:
            self._discard(made)
            raise
        return built

    def _taken(self) -> list[bytes]:
        top = os.fsencode(self._target)
        return [name for name in self._names if os.path.lexists(os.path.join(top, name))]

    def _refuse_to_replace(self) -> None:
        taken = self._taken()
        if taken and not self._overwrite:
            shown = ", ".join(tree_entry.show((name,)) for name in taken[:3])
            raise _refused(
                f"the target {self._target} holds {shown} already",
                "choose another target, or allow it to be written over with --overwrite",
            )

    def _make_staging(self) -> list[Path]:
        """Make the directory anew; return the parents that had to be made, outermost first."""
        parent = self._staging.parent
        missing = [place for place in (parent, *parent.parents) if not place.exists()][::-1]
        try:
            for place in missing:
                place.mkdir(exist_ok=True)
            clear(self._target, self._token)
            self._staging.mkdir(0o777 if not self._exists else 0o700)
        except OSError as error:
            raise files.problem_of(error, parent) or _unusable(parent, error) from error
        return missing

    def _move(self) -> None:
        self._refuse_to_replace()
        try:
            if os.path.lexists(self._target):
                tree_merge.check(self._staging, self._target)
            self._record.touch(mode=0o600)
            files.flush_directory(self._record.parent)
            if self._exists or not self._rename():
                tree_merge.move(self._staging, self._target)
                self._staging.rmdir()
                _flush(self._target)
        except OSError as error:
            raise files.problem_of(error, self._target) or _unusable(self._target, error) from error

    def _rename(self) -> bool:
        """Try to make the whole directory the target; not possible if somebody made one meanwhile."""
        try:
            self._staging.rename(self._target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return False
        files.flush_directory(self._target.parent)
        return True

    def _discard(self, made: list[Path]) -> None:
        if os.path.lexists(self._staging):
            clear(self._target, self._token)
            with contextlib.suppress(OSError):  # somebody else may use them by now
                for place in reversed(made):
                    place.rmdir()


def clear(target: Path, token: str) -> bool:
    """Remove the unfinished tree that an interrupted attempt left for a target; tell whether there was one.

    Raises:
        OSError: If it cannot be removed.
    """
    left = [staging for staging in _stagings(target.resolve(), token) if os.path.lexists(staging)]
    for staging in left:
        parent = tree_descent.open_parent(staging.parent)
        try:
            tree_descent.remove(parent, os.fsencode(staging.name))
        finally:
            os.close(parent)
    return bool(left)


def _stagings(target: Path, token: str) -> tuple[Path, Path]:
    short = os.fsdecode(os.fsencode(target.name)[:180])
    return target.parent / f".{short}.{token}.partial", target / f".{token}.partial"


def _refused(message: str, hint: str) -> errors.EnvironmentProblem:
    return errors.EnvironmentProblem(message, code="RT310", hint=hint)


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
