"""Move a finished tree into an existing directory: directories are merged, everything else is replaced at once."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from runner.base import errors
from runner.repository import tree_descent, tree_entry, tree_metadata, tree_problems

_SQLITE = b"SQLite format 3\0"
# Beside a database that is written over, these belong to the old one and would damage the new one.
_STALE = (b"-wal", b"-shm", b"-journal")


def check(source: Path, target: Path) -> None:
    """See that everything in `source` can go to `target`.

    Raises:
        EnvironmentProblem: RT310 if a file stands where a directory belongs, or the other way round.
        PermanentError: RT314 if a symbolic link stands where a directory belongs.
        OSError: If a directory of the target cannot be used.
    """
    _through(_Check, source, target)


def move(source: Path, target: Path) -> None:
    """Move everything in `source` to `target`.

    Raises:
        OSError: If something cannot be moved.
    """
    _through(_Move, source, target)


def _through(step: type[_Check] | type[_Move], source: Path, target: Path) -> None:
    with tree_descent.open_top(source) as staged, tree_descent.open_top(target) as held:
        walk = step(staged, held)
        tree_descent.traverse(staged, tree_descent.names(staged.descriptor), walk.visit, walk.leave)


def _stat(parent: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


class _Check:
    """Goes through the directories that both trees have, and refuses what is in the way."""

    def __init__(self, staged: tree_descent.Descent, held: tree_descent.Descent) -> None:
        self._staged = staged
        self._held = held
        self._path: list[bytes] = []
        self._modes: list[int] = []

    def visit(self, name: bytes) -> list[bytes] | None:
        """Look at one name; return the names below when both trees have a directory there."""
        there = _stat(self._held.descriptor, name)
        if there is None:
            return None
        path = (*self._path, name)
        is_directory = stat.S_ISDIR(os.stat(name, dir_fd=self._staged.descriptor, follow_symlinks=False).st_mode)
        if is_directory and stat.S_ISLNK(there.st_mode):
            raise tree_problems.escape(path, "a symbolic link stands where its directory belongs")
        if is_directory != stat.S_ISDIR(there.st_mode):
            raise errors.EnvironmentProblem(
                f"{tree_entry.show(path)} is {'no' if is_directory else 'a'} directory in the target",
                code="RT310",
                hint="remove it from the target, or choose another target",
            )
        return self._enter(name) if is_directory else None

    def _enter(self, name: bytes) -> list[bytes]:
        self._modes.append(tree_descent.make_accessible(self._staged.descriptor, name))
        self._staged.enter(name)
        self._held.enter(name)
        if os.fstat(self._held.descriptor).st_uid != os.geteuid() and not os.access(
            tree_metadata.place_of_descriptor(self._held.descriptor), os.W_OK | os.X_OK, effective_ids=True
        ):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        self._path.append(name)
        return tree_descent.names(self._staged.descriptor)

    def leave(self, name: bytes) -> None:
        """Come back from a directory of both trees."""
        _set_mode(self._staged.descriptor, name, self._modes.pop())
        self._held.leave()
        self._path.pop()


class _Move:
    """Moves what only the new tree has as a whole, and goes into the directories that both have."""

    def __init__(self, staged: tree_descent.Descent, held: tree_descent.Descent) -> None:
        self._staged = staged
        self._held = held
        self._reader = tree_metadata.MetadataReader()
        self._writer = tree_metadata.MetadataWriter()
        self._merged: list[tree_entry.Metadata] = []

    def visit(self, name: bytes) -> list[bytes] | None:
        """Move one name; return the names below when it is a directory that both trees have."""
        facts = os.stat(name, dir_fd=self._staged.descriptor, follow_symlinks=False)
        there = _stat(self._held.descriptor, name)
        if stat.S_ISDIR(facts.st_mode):
            if there is not None:
                return self._enter(name, facts)
            self._move_directory(name)
            return None
        if _is_sqlite(self._staged.descriptor, name, facts):
            for suffix in _STALE:
                tree_descent.remove(self._held.descriptor, name + suffix)
        self._rename(name)
        return None

    def _rename(self, name: bytes) -> None:
        os.rename(name, name, src_dir_fd=self._staged.descriptor, dst_dir_fd=self._held.descriptor)

    def _move_directory(self, name: bytes) -> None:
        # A directory that may not be written cannot be moved either, for its entry `..` changes.
        mode = tree_descent.make_accessible(self._staged.descriptor, name)
        self._rename(name)
        _set_mode(self._held.descriptor, name, mode)

    def _enter(self, name: bytes, facts: os.stat_result) -> list[bytes]:
        self._merged.append(self._reader.read(tree_metadata.place_of(self._staged.descriptor, name), facts))
        tree_descent.make_accessible(self._staged.descriptor, name)
        self._staged.enter(name)
        tree_descent.make_accessible(self._held.descriptor, name)
        self._held.enter(name)
        return tree_descent.names(self._staged.descriptor)

    def leave(self, name: bytes) -> None:
        """Complete a merged directory."""
        self._writer.apply(self._held.descriptor, self._merged.pop())
        self._held.leave()
        os.rmdir(name, dir_fd=self._staged.descriptor)


def _set_mode(parent: int, name: bytes, mode: int) -> None:
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.chmod(tree_metadata.place_of_descriptor(handle), mode)
    finally:
        os.close(handle)


def _is_sqlite(parent: int, name: bytes, facts: os.stat_result) -> bool:
    if not stat.S_ISREG(facts.st_mode) or facts.st_size < len(_SQLITE):
        return False
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        return os.pread(descriptor, len(_SQLITE), 0) == _SQLITE
    finally:
        os.close(descriptor)
