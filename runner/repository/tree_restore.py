"""Restore a tree of files from an export."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from runner.base import cancel as cancels
from runner.base import ids
from runner.registry.location import Buffer
from runner.repository import exports, failures, sequences, tree_build, tree_entries, tree_entry, tree_place
from runner.repository.reader import Reader
from runner.repository.repository import Repository

Progress = Callable[[int], None]
Warn = Callable[[str], None]

# Chunks are read ahead within this many entries.
_TOGETHER = 1024
# A large file reports on the way, too.
_TOLD_EVERY = 8 << 20


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore wrote.

    Attributes:
        bytes: Length of all files, holes included.
    """

    files: int
    bytes: int


def restore_tree(
    repo: Repository,
    export: ids.ExportId,
    target: Path,
    *,
    token: str,
    record: Path,
    overwrite: bool = False,
    cancel: cancels.CancelToken,
    progress: Progress,
    warn: Warn,
) -> Restored:
    """Restore an export: `target` receives one entry per root, named as the root.

    Everything is written to a directory beside (or in) the target first and moved when it is complete, so the target
    never shows anything half-written. With `overwrite`, what has the same name is replaced and everything else stays.

    Args:
        repo: Where the export is.
        export: What is restored.
        target: A directory; made if it is missing.
        token: Token of the phase; what an interrupted attempt left under it is removed first.
        record: A file that outlives the attempt and by which a later one knows that all was in place already.
        overwrite: Whether what has the name of a root may be replaced.
        cancel: Says when to give up.
        progress: Called with the bytes that are done, holes included.
        warn: Called with a sentence for each thing that could not be restored.

    Raises:
        EnvironmentProblem: RT310, RT311 or RT312; nothing of the restore is left then.
        PermanentError: RT314 if an entry would be written outside of the target.
    """
    manifest = repo.manifest(export)
    place = tree_place.Place(target, names_of(manifest), token=token, record=record, overwrite=overwrite)
    if place.is_filled:
        return result_of(manifest)
    builder = place.fill(lambda top: build(repo, manifest, top, cancel=cancel, progress=progress))
    for warning in builder.warnings():
        warn(warning)
    return result_of(manifest)


def find_restored(
    repo: Callable[[], Repository], export: ids.ExportId, target: Path, *, token: str, record: Path
) -> Restored | None:
    """Return what an interrupted attempt wrote if all was in place already; otherwise remove what it left beside.

    Whoever asks has lost its own attempt, and there may never be another one that would clean up.
    """
    with contextlib.suppress(OSError):  # the next attempt tries again, and tells why it cannot
        if tree_place.clear(target, token):
            return None
    if not record.exists():
        return None
    manifest = repo().manifest(export)
    place = tree_place.Place(target, names_of(manifest), token=token, record=record, overwrite=False)
    return result_of(manifest) if place.is_filled else None


def names_of(manifest: exports.Manifest) -> list[bytes]:
    """Return the names of the roots of a tree export."""
    match manifest.body.get("names"):
        case [*names]:
            return [tree_entry.check_name(name) for name in names]
    raise failures.damaged(f"the manifest of export {manifest.export}", "it names no roots")


def result_of(manifest: exports.Manifest) -> Restored:
    """Return what a restore of the whole export writes."""
    counts = [manifest.facts.get(name) for name in ("files", "bytes")]
    files, size = (count if isinstance(count, int) else 0 for count in counts)
    return Restored(files=files, bytes=size)


def build(
    repo: Repository,
    manifest: exports.Manifest,
    top: Path,
    *,
    cancel: cancels.CancelToken,
    progress: Progress,
) -> tree_build.TreeBuilder:
    """Write all entries of an export into an empty directory; the result knows what could not be restored."""
    reader = repo.reader()
    return build_entries(reader, tree_entries.read(reader, manifest), top, cancel=cancel, progress=progress)


def build_entries(
    reader: Reader, entries: Iterator[tree_entry.Entry], top: Path, *, cancel: cancels.CancelToken, progress: Progress
) -> tree_build.TreeBuilder:
    """Write entries into an empty directory; they must stand below directories that are among them."""
    writer = _Contents(reader, cancel, progress)
    with tree_build.TreeBuilder(top) as builder:
        while together := list(islice(entries, _TOGETHER)):
            chunks = reader.read(_chunks(reader, together))
            for entry in together:
                cancel.raise_if_cancelled()
                builder.add(entry, partial(writer.write, entry, chunks))
    return builder


def _chunks(reader: Reader, entries: list[tree_entry.Entry]) -> Iterator[bytes]:
    for entry in entries:
        if entry.content is not None:
            yield from sequences.chunks(reader, entry.content)


class _Contents:
    """Writes the content of files from chunks that come in the order of the entries."""

    def __init__(self, reader: Reader, cancel: cancels.CancelToken, progress: Progress) -> None:
        self._reader = reader
        self._cancel = cancel
        self._progress = progress
        self._done = self._told = 0

    def write(self, entry: tree_entry.Entry, chunks: Iterator[Buffer], descriptor: int) -> None:
        """Write one file; holes are left out."""
        if entry.content is None:
            return
        position = 0
        for chunk, length in sequences.items(self._reader, entry.content):
            if chunk is not None:
                self._cancel.raise_if_cancelled()
                write_at(descriptor, next(chunks), position)
            position += length
            self._done += length
            if self._done - self._told >= _TOLD_EVERY:
                self._tell()
        self._tell()

    def _tell(self) -> None:
        self._told = self._done
        self._progress(self._done)


def write_at(descriptor: int, data: Buffer, offset: int) -> None:
    """Write all of the data from `offset` on."""
    rest = memoryview(data)
    while len(rest):
        count = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[count:], offset + count
