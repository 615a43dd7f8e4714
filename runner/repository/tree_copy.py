"""Copy files to another directory with everything that a tree export keeps of them, without a repository."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from runner.base import cancel as cancels
from runner.base import errors, own_places
from runner.repository import (
    chunking,
    contents,
    tree_build,
    tree_entry,
    tree_metadata,
    tree_place,
    tree_restore,
    tree_walk,
)
from runner.repository.tree_entry import Kind

Progress = Callable[[int], None]


def copy_tree(
    scope: tree_walk.Scope,
    target: Path,
    *,
    token: str,
    record: Path,
    overwrite: bool,
    cancel: cancels.CancelToken,
    progress: Progress,
    warn: tree_walk.Warn,
) -> tree_restore.Restored:
    """Copy: `target` receives one entry per root, named as the root; arguments as for `restore_tree`.

    Raises:
        PermanentError: RT315 for a missing root, RT313 for an unreadable file, RT314.
        EnvironmentProblem: RT310, RT311 or RT312; nothing of the copy is left then.
    """
    names = list(tree_walk.named_roots(scope.roots))
    place = tree_place.Place(target, names, token=token, record=record, overwrite=overwrite)
    copy = _Copy(scope, cancel, progress, warn)
    place.fill(copy.run)
    return tree_restore.Restored(files=copy.files, bytes=copy.bytes)


class _Copy:
    """One copy, and what it has counted."""

    def __init__(
        self, scope: tree_walk.Scope, cancel: cancels.CancelToken, progress: Progress, warn: tree_walk.Warn
    ) -> None:
        self._scope = scope
        self._cancel = cancel
        self._progress = progress
        self._warn = warn
        self._metadata = tree_metadata.MetadataReader()
        self._block = memoryview(bytearray(chunking.BLOCK))
        self.files = 0
        self.bytes = 0

    def run(self, top: Path) -> None:
        """Copy everything into an empty directory."""
        with tree_build.TreeBuilder(top) as builder:
            # A target within what is copied must not receive itself.
            scope = structs.replace(self._scope, own=own_places.OwnPlaces(paths=[top]))
            tree_walk.Walk(
                scope, lambda visited: self._copy(builder, visited), cancel=self._cancel, warn=self._warn
            ).run()
        for warning in builder.warnings():
            self._warn(warning)

    def _copy(self, builder: tree_build.TreeBuilder, visited: tree_walk.Visited) -> None:
        if visited.kind is not Kind.FILE:
            builder.add(visited.describe(self._metadata), lambda _: None)
            return
        source = visited.open()
        try:
            before = os.fstat(source)
            entry = structs.replace(visited.describe(self._metadata), size=before.st_size)
            builder.add(entry, lambda target: self._fill(source, target, visited, before.st_size))
            if tree_walk.moments(before) != tree_walk.moments(os.fstat(source)):
                self._warn(f"{tree_entry.show(visited.path)} changed while it was read")
        finally:
            os.close(source)
        self.files += 1

    def _fill(self, source: int, target: int, visited: tree_walk.Visited, size: int) -> None:
        for start, end in contents.data_extents(source, size):
            position = start
            while position < end:
                self._cancel.raise_if_cancelled()
                filled = self._read(source, visited, end - position, position)
                if not filled:
                    return
                tree_restore.write_at(target, self._block[:filled], position)
                position += filled
                self.bytes += filled
                self._progress(self.bytes)

    def _read(self, source: int, visited: tree_walk.Visited, length: int, offset: int) -> int:
        try:
            return contents.read_block(source, self._block[:length], offset)
        except OSError as error:
            # Not to be taken for a failure to write the copy.
            raise errors.PermanentError(
                f"{tree_entry.show(visited.path)} cannot be read: {error.strerror}",
                code="RT313",
                hint="see whether the disk is failing",
            ) from error
