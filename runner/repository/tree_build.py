"""Build a tree in an empty directory, entry by entry: content first, then metadata, a directory's own last."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.repository import tree_descent, tree_entry, tree_metadata, tree_problems
from runner.repository.tree_entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TYPES = {Kind.CHARACTER: 0o020000, Kind.BLOCK: 0o060000}

Fill = Callable[[int], None]


class TreeBuilder:
    """Makes entries in the order in which they are stored; a context, whose end completes the open directories.

    Nothing is ever followed: every directory on the way was made here and is reached by its descriptor, every file is
    made exclusively. So no name and no symbolic link can lead out of the top, whoever put it there.

    Args:
        top: The directory, empty and made for this purpose.

    Attributes:
        metadata: Knows what could not be set.
        skipped: Device files that this user may not make.
    """

    def __init__(self, top: str | os.PathLike[str]) -> None:
        self._top = top
        self._descent = tree_descent.open_top(top)
        self._path: list[bytes] = []
        self._open: list[tree_entry.Metadata] = []
        self.metadata = tree_metadata.MetadataWriter()
        self.skipped: list[tree_entry.NamePath] = []

    def add(self, entry: tree_entry.Entry, fill: Fill) -> None:
        """Make one entry.

        Args:
            entry: What is made.
            fill: Writes the content of a file to a descriptor.

        Raises:
            EnvironmentProblem: RT311 or RT312.
            PermanentError: RT314.
        """
        if entry.depth > len(self._path):
            raise tree_problems.escape((*self._path, entry.name), "it does not stand below a directory")
        while len(self._path) > entry.depth:
            self._leave()
        path = (*self._path, entry.name)
        with tree_problems.writing(self._top, path):
            self._make(entry, path, fill)

    def warnings(self) -> list[str]:
        """Return a sentence for each thing that could not be restored."""
        found = self.metadata.warnings()
        if self.skipped:
            shown = ", ".join(map(tree_entry.show, self.skipped[:5]))
            found.append(f"{len(self.skipped)} device files could not be made, which needs root: {shown}")
        return found

    def __enter__(self) -> TreeBuilder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._path and problem is None:
                self._leave()
        finally:
            self._descent.close()

    def _leave(self) -> None:
        with tree_problems.writing(self._top, tuple(self._path)):
            self.metadata.apply(self._descent.descriptor, self._open.pop())
            self._descent.leave()
        self._path.pop()

    def _make(self, entry: tree_entry.Entry, path: tree_entry.NamePath, fill: Fill) -> None:
        parent = self._descent.descriptor
        match entry.kind, entry.metadata:
            case Kind.LINK, _:
                self._link(entry, parent)
            case Kind.DIRECTORY, tree_entry.Metadata() as metadata:
                os.mkdir(entry.name, 0o700, dir_fd=parent)
                self._descent.enter(entry.name)
                self._path.append(entry.name)
                self._open.append(metadata)
            case Kind.FILE, tree_entry.Metadata() as metadata:
                self._file(entry, metadata, parent, fill)
            case Kind.SYMLINK, tree_entry.Metadata() as metadata:
                os.symlink(entry.target, entry.name, dir_fd=parent)
                self.metadata.apply(tree_metadata.place_of(parent, entry.name), metadata, is_symlink=True)
            case _, tree_entry.Metadata() as metadata:
                self._special(entry, metadata, path)

    def _file(self, entry: tree_entry.Entry, metadata: tree_entry.Metadata, parent: int, fill: Fill) -> None:
        descriptor = os.open(entry.name, _CREATE, 0o600, dir_fd=parent)
        try:
            fill(descriptor)
            if os.fstat(descriptor).st_size != entry.size:
                # The file ends in a hole.
                os.ftruncate(descriptor, entry.size)
            self.metadata.apply(descriptor, metadata)
        finally:
            os.close(descriptor)

    def _special(self, entry: tree_entry.Entry, metadata: tree_entry.Metadata, path: tree_entry.NamePath) -> None:
        parent = self._descent.descriptor
        if entry.device is None:
            os.mkfifo(entry.name, 0o600, dir_fd=parent)
        else:
            try:
                os.mknod(entry.name, _TYPES[entry.kind] | 0o600, os.makedev(*entry.device), dir_fd=parent)
            except PermissionError:
                self.skipped.append(path)
                return
        # `O_PATH` opens what it is without using it: neither a FIFO waits nor a device notices.
        handle = os.open(entry.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            self.metadata.apply(tree_metadata.place_of_descriptor(handle), metadata)
        finally:
            os.close(handle)

    def _link(self, entry: tree_entry.Entry, parent: int) -> None:
        *directories, name = entry.link
        if entry.link in self.skipped:
            return
        with self._directory(directories) as source:
            os.link(name, entry.name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)

    @contextmanager
    def _directory(self, names: list[bytes]) -> Iterator[int]:
        """Open a directory that was made before, from the top down, following nothing."""
        with tree_descent.open_top(self._top) as descent:
            for name in names:
                descent.enter(name)
            yield descent.descriptor
