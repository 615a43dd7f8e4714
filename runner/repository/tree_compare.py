"""Prove an export of a tree: restore it to a scratch place and compare every entry with what was captured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import blake3

from runner.base import cancel as cancels
from runner.base import errors, ids, temporary
from runner.repository import (
    chunking,
    contents,
    exports,
    sequences,
    tree_build,
    tree_descent,
    tree_entries,
    tree_entry,
    tree_metadata,
    tree_restore,
)
from runner.repository.reader import Reader
from runner.repository.repository import Repository
from runner.repository.tree_entry import Kind

Progress = Callable[[int], None]

_SHOWN = 10
_BLOCK = 4096
_SET_ID = 0o6000


def verify_tree(
    repo: Repository,
    export: ids.ExportId,
    scratch: Path,
    *,
    space: temporary.Share,
    cancel: cancels.CancelToken,
    progress: Progress,
) -> tree_restore.Restored:
    """Restore an export into `scratch/verify`, compare, and remove it.

    Compared is everything that this user can restore: without root, owners and device files are left out.

    Raises:
        PermanentError: RT419 with the first differences.
        EnvironmentProblem: RT317 if that takes more temporary space than is allowed; then nothing was restored.
    """
    manifest = repo.manifest(export)
    if space.is_limited:
        reader = repo.reader()
        space.take(sum(space_of(reader, entry) for entry in tree_entries.read(reader, manifest)))
    top = scratch / "verify"
    parent = tree_descent.open_parent(scratch)
    try:
        tree_descent.remove(parent, b"verify")
        top.mkdir(0o700)
        builder = tree_restore.build(repo, manifest, top, cancel=cancel, progress=progress)
        found = find_differences(repo, manifest, top, builder, cancel)
    finally:
        tree_descent.remove(parent, b"verify")
        os.close(parent)
    if found:
        raise _differs(manifest, found)
    return tree_restore.result_of(manifest)


def space_of(reader: Reader, entry: tree_entry.Entry) -> int:
    """Return what an entry takes on a disk with blocks of 4 KiB, holes left out."""
    held = (
        0
        if entry.content is None
        else sum(length for chunk, length in sequences.items(reader, entry.content) if chunk is not None)
    )
    return _BLOCK if entry.kind is Kind.DIRECTORY else -(-held // _BLOCK) * _BLOCK


def find_differences(
    repo: Repository,
    manifest: exports.Manifest,
    top: Path,
    builder: tree_build.TreeBuilder,
    cancel: cancels.CancelToken,
) -> list[str]:
    """Compare a restored tree with its export; return a line for each of the first differences.

    Args:
        repo: Where the export is.
        manifest: The export.
        top: Where it was restored.
        builder: What restored it, and knows what it could not restore.
        cancel: Says when to give up.
    """
    with _Comparison(repo.reader(), top, builder, cancel) as comparison:
        return list(islice(comparison.differences(tree_entries.read(repo.reader(), manifest)), _SHOWN))


def _differs(manifest: exports.Manifest, found: list[str]) -> errors.PermanentError:
    return errors.PermanentError(
        f"the export {manifest.export} differs from what was captured in {len(found)} or more places"
        if len(found) == _SHOWN
        else f"the export {manifest.export} differs from what was captured in {len(found)} places",
        code="RT419",
        details="\n".join(found),
        hint="run `runner repository check --read-data`, and keep older restore points until you know the cause",
        context={"export": manifest.export},
    )


class _Comparison:
    """Goes through a restored tree and its entries together."""

    def __init__(self, reader: Reader, top: Path, builder: tree_build.TreeBuilder, cancel: cancels.CancelToken) -> None:
        self._reader = reader
        self._top = top
        self._builder = builder
        self._cancel = cancel
        self._descent = tree_descent.open_top(top)
        self._path: list[bytes] = []
        self._metadata = tree_metadata.MetadataReader()
        self._block = memoryview(bytearray(chunking.BLOCK))

    def __enter__(self) -> _Comparison:
        return self

    def __exit__(self, *_: object) -> None:
        self._descent.close()

    def differences(self, entries: Iterator[tree_entry.Entry]) -> Iterator[str]:
        """Yield a line for each entry that is not as it was captured."""
        for entry in entries:
            self._cancel.raise_if_cancelled()
            while len(self._path) > entry.depth:
                self._descent.leave()
                self._path.pop()
            path = (*self._path, entry.name)
            if path in self._builder.skipped or entry.link in self._builder.skipped:
                continue
            shown = tree_entry.show(path)
            yield from (f"{shown}: {what}" for what in self._compare(entry))
            if entry.kind is Kind.DIRECTORY:
                tree_descent.make_accessible(self._descent.descriptor, entry.name)
                self._descent.enter(entry.name)
                self._path.append(entry.name)

    def _compare(self, entry: tree_entry.Entry) -> Iterator[str]:
        parent = self._descent.descriptor
        facts = os.stat(entry.name, dir_fd=parent, follow_symlinks=False)
        if entry.kind is Kind.LINK:
            first = os.stat(os.path.join(os.fsencode(self._top), *entry.link), follow_symlinks=False)
            if (first.st_dev, first.st_ino) != (facts.st_dev, facts.st_ino):
                yield "it is no hard link of its first name"
            return
        if tree_entry.kind_of(facts.st_mode) is not entry.kind:
            yield f"it is a {tree_entry.kind_of(facts.st_mode)}, not a {entry.kind}"
            return
        if entry.metadata is not None:
            found = self._metadata.read(tree_metadata.place_of(parent, entry.name), facts)
            yield from self._compare_metadata(entry, entry.metadata, found)
        if entry.kind is Kind.SYMLINK and os.readlink(entry.name, dir_fd=parent) != entry.target:
            yield "the symbolic link says something else"
        if entry.device is not None and os.makedev(*entry.device) != facts.st_rdev:
            yield "it is another device"
        if entry.content is not None:
            yield from self._compare_content(entry, entry.content, facts.st_size)

    def _compare_metadata(
        self, entry: tree_entry.Entry, captured: tree_entry.Metadata, restored: tree_entry.Metadata
    ) -> Iterator[str]:
        unset = self._builder.metadata
        is_owned = (captured.uid, captured.gid) == (restored.uid, restored.gid)
        if not is_owned and not unset.owners_unset:
            yield f"owner {restored.uid}:{restored.gid} instead of {captured.uid}:{captured.gid}"
        mode = captured.mode if is_owned else captured.mode & ~_SET_ID
        if entry.kind is not Kind.SYMLINK and restored.mode != mode:
            yield f"mode {restored.mode:o} instead of {captured.mode:o}"
        if restored.mtime != captured.mtime:
            yield f"modified at {restored.mtime} ns instead of {captured.mtime} ns"
        if any(
            restored.xattrs.get(name) != value
            for name, value in captured.xattrs.items()
            if name not in unset.xattrs_unset
        ):
            yield "extended attributes differ"

    def _compare_content(self, entry: tree_entry.Entry, content: sequences.ChunkSequence, size: int) -> Iterator[str]:
        if size != entry.size:
            yield f"{size} bytes instead of {entry.size}"
            return
        descriptor = self._open(entry.name)
        try:
            hasher = blake3.blake3()
            position = 0
            for chunk, length in sequences.items(self._reader, content):
                if chunk is not None:
                    hasher.update(self._read(descriptor, length, position))
                elif self._holds_data(descriptor, position, position + length):
                    yield f"a hole at {position} holds data"
                position += length
            if hasher.digest() != entry.hash:
                yield "the content differs"
        finally:
            os.close(descriptor)

    def _holds_data(self, descriptor: int, start: int, end: int) -> bool:
        return any(
            bytes(self._read(descriptor, min(len(self._block), last - position), position)).strip(b"\0")
            for first, last in contents.data_extents(descriptor, end, start)
            for position in range(first, last, len(self._block))
        )

    def _read(self, descriptor: int, length: int, offset: int) -> memoryview:
        target = self._block[:length]
        return target[: contents.read_block(descriptor, target, offset)]

    def _open(self, name: bytes) -> int:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(name, flags, dir_fd=self._descent.descriptor)
        except PermissionError:
            # Its owner may not read it either; in this copy that does not matter.
            handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._descent.descriptor)
            try:
                os.chmod(tree_metadata.place_of_descriptor(handle), 0o600)
            finally:
                os.close(handle)
            return os.open(name, flags, dir_fd=self._descent.descriptor)
