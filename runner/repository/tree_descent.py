"""Going down and up a directory tree by descriptors, never through a symbolic link and never by a path."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import TracebackType

from runner.base import errors

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# More levels than this are reopened on the way up: a deep tree must not use up the descriptors of the process.
_KEPT = 64
# As `os.fsencode` does, which looks at the type of each name.
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


class Moved(errors.TransientError):
    """A directory was moved away while the work was in it."""

    default_code = "RT313"


class Descent:
    """The directory where the work is, and the way back to the top.

    Args:
        top: Descriptor of the top directory; it is closed at the end.
    """

    def __init__(self, top: int) -> None:
        self._levels: list[tuple[int | None, tuple[int, int]]] = [(top, _identity(top))]

    @property
    def descriptor(self) -> int:
        """Descriptor of the directory where the work is."""
        descriptor = self._levels[-1][0]
        if descriptor is None:
            raise AssertionError("the innermost directory is always open")
        return descriptor

    @property
    def depth(self) -> int:
        """How many levels below the top."""
        return len(self._levels) - 1

    def enter(self, name: bytes) -> None:
        """Go into a directory.

        Raises:
            NotADirectoryError: If it is something else, a symbolic link for instance.
        """
        descriptor = os.open(name, _OPEN, dir_fd=self.descriptor)
        self._levels.append((descriptor, _identity(descriptor)))
        far = len(self._levels) - 1 - _KEPT
        if far > 0:
            closed, identity = self._levels[far]
            if closed is not None:
                os.close(closed)
            self._levels[far] = (None, identity)

    def leave(self) -> None:
        """Go back to the directory above.

        Raises:
            Moved: If the way up leads to another directory than the way down came from.
        """
        parent, identity = self._levels[-2]
        if parent is None:
            parent = os.open(b"..", _OPEN, dir_fd=self.descriptor)
            if _identity(parent) != identity:
                os.close(parent)
                raise Moved("a directory was moved while it was read", hint="try again")
            self._levels[-2] = (parent, identity)
        os.close(self.descriptor)
        self._levels.pop()

    def close(self) -> None:
        """Close everything."""
        while self._levels:
            descriptor, _ = self._levels.pop()
            if descriptor is not None:
                os.close(descriptor)

    def __enter__(self) -> Descent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _identity(descriptor: int) -> tuple[int, int]:
    facts = os.fstat(descriptor)
    return facts.st_dev, facts.st_ino


def open_top(path: str | os.PathLike[str]) -> Descent:
    """Start at a path, which is followed as it is written."""
    return Descent(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def open_parent(path: str | os.PathLike[str]) -> int:
    """Open a directory to reach what is in it by name; it need not be readable."""
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def names(descriptor: int) -> list[bytes]:
    """Return the names in a directory in the order of their bytes."""
    return sorted([name.encode(_ENCODING, _ERRORS) for name in os.listdir(descriptor)])


def traverse(
    descent: Descent, top: list[bytes], visit: Callable[[bytes], list[bytes] | None], leave: Callable[[bytes], None]
) -> None:
    """Visit everything below where the work is, without recursion, since a tree may be deeper than the stack.

    Args:
        descent: Where to start; it comes back to the same place.
        top: The names there.
        visit: Called for each name; when it went into that directory it returns the names there, else None.
        leave: Called in the directory above when everything in a directory was visited.
    """
    todo, entered = [iter(top)], [b""]
    while todo:
        for name in todo[-1]:
            below = visit(name)
            if below is not None:
                todo.append(iter(below))
                entered.append(name)
                break
        else:
            todo.pop()
            left = entered.pop()
            if todo:
                descent.leave()
                leave(left)


def remove(parent: int, name: bytes) -> None:
    """Remove a file or a whole directory; succeeds when there is none."""
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        _remove_directory(parent, name)


def _remove_directory(parent: int, name: bytes) -> None:
    with Descent(os.dup(parent)) as descent:

        def visit(child: bytes) -> list[bytes] | None:
            try:
                os.unlink(child, dir_fd=descent.descriptor)
            except (IsADirectoryError, PermissionError):
                return _enter_any(descent, child)
            return None

        top = _enter_any(descent, name)
        traverse(descent, top, visit, lambda child: os.rmdir(child, dir_fd=descent.descriptor))
    os.rmdir(name, dir_fd=parent)


def _enter_any(descent: Descent, name: bytes) -> list[bytes]:
    """Go into a directory whatever its mode is, if it belongs to this user; return the names there."""
    make_accessible(descent.descriptor, name)
    descent.enter(name)
    return names(descent.descriptor)


def make_accessible(parent: int, name: bytes) -> int:
    """Let this user read, write and search a directory of its own; return the mode it had."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        mode = os.fstat(handle).st_mode & 0o7777
        if mode & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{handle}", mode | 0o700)
        return mode
    finally:
        os.close(handle)
