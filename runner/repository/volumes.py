"""Export a volume into a repository and bring it back."""

from __future__ import annotations

import functools
import struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.base import cancel as cancels
from runner.base import ids
from runner.registry.driver import BlockReader, BlockWriter, Extent, Incomparable
from runner.repository import bases, exports, failures, reader, regions, repository, volume_capture, volume_map
from runner.repository.encoding import CborValue
from runner.repository.exports import ExportResult
from runner.repository.volume_capture import Progress
from runner.repository.volume_map import CHUNK, FANOUT, HOLE, ID_SIZE
from runner.repository.writer import Writer

KIND = "volume"
# A batch of a restore: enough that neighbours are read with one request, though the threads of an export have shuffled
# them; few enough that several threads share even a small volume.
_BATCH = 256
_IDS = struct.Struct(f"{ID_SIZE}s" * FANOUT)


def export_volume(
    repo: repository.Repository,
    reader: BlockReader,
    *,
    source: str,
    token: str,
    base: ids.ExportId | None,
    changed: Iterator[Extent] | Incomparable,
    cancel: cancels.CancelToken,
    progress: Progress,
    facts: Mapping[str, CborValue] | None = None,
    run: str = "",
    confirm: Callable[[], None] = lambda: None,
    warn: bases.Warn = lambda _: None,
) -> ExportResult:
    """Export a volume.

    The export is complete whichever way it was made: it refers to its base no more once it is there.

    Args:
        repo: Where to.
        reader: The volume.
        source: Its name.
        token: Token of the phase.
        base: An earlier export of the same volume; what did not change is taken from its map. If it is gone or damaged,
            everything is read.
        changed: What may differ from the base, as `runner.registry.extents` says; or why that is not known.
        cancel: Says when to give up.
        progress: Called with how far it has come and the size of the volume, in bytes.
        facts: Kept in the manifest for whoever makes the next export, beside how this one was made; None keeps nothing.
        run: The run, shown to others who find the repository locked.
        confirm: Called when all has been read, before the export can be found; what it raises gives the export up.
        warn: Called with a sentence if the base is damaged.

    Raises:
        RepositoryLocked: If the lock of the export was lost.
    """
    size = reader.size_bytes
    with repo.writer(token=token, cancel=cancel, run=run) as writer:
        stats = writer.stats
        capture = functools.partial(_capture, repo, writer, reader, changed, progress)
        # Only under the lock of the writer is it certain that no pruning takes the base away.
        method, reason, level, root = bases.build(repo, base, capture, warn)
        confirm()
        body: dict[str, CborValue] = {"size": size, "chunkSize": CHUNK, "level": level}
        kept = None if facts is None else {**facts, **_way(method, reason, stats.bytes_read, size)}
        export = writer.finish(
            {"kind": KIND, "source": source, "roots": _roots(root), "body": body, "facts": kept or {}}
        )
    return ExportResult(
        export=export,
        bytes_read=stats.bytes_read,
        bytes_new=stats.bytes_new,
        bytes_stored=stats.bytes_stored,
        method=method,
        reason=reason,
    )


class _Captured(NamedTuple):
    method: str
    reason: str
    level: int
    root: bytes


def _capture(
    repo: repository.Repository,
    writer: Writer,
    reader: BlockReader,
    changed: Iterator[Extent] | Incomparable,
    progress: Progress,
    base: exports.Manifest | None,
    reason: str,
) -> _Captured:
    # What was read for a base that is damaged was read for nothing.
    writer.settle()
    writer.stats.bytes_read = 0
    parent = None if base is None else volume_map.VolumeRoot.of(base)
    method, reason, extents = _to_read(parent, reason, changed, reader)
    source_map = None if parent is None else volume_map.MapReader(parent, bases.fetcher(repo))
    work = volume_capture.Capture(writer, reader, source_map, keep=method == "changed", progress=progress)
    return _Captured(method, reason, work.level, work.run(regions.regions(extents, reader.size_bytes)))


def _to_read(
    parent: volume_map.VolumeRoot | None, reason: str, changed: Iterator[Extent] | Incomparable, reader: BlockReader
) -> tuple[str, str, Iterator[Extent]]:
    """Return the method, why it is taken, and what is read by it."""
    if parent is None:
        return "full", reason, reader.allocated()
    if isinstance(changed, Incomparable):
        return "rescan", changed.reason, reader.allocated()
    extents = regions.grown(changed, reader.allocated(), parent.size_bytes, reader.size_bytes)
    return "changed", "the snapshot of the earlier export was compared", extents


def _roots(root: bytes) -> list[bytes]:
    return [] if root == HOLE else [root]


def _way(method: str, reason: str, bytes_read: int, size_bytes: int) -> dict[str, CborValue]:
    """Say how an export was made, and in one word which blocks were read."""
    blocks = "all" if bytes_read >= size_bytes else "allocated"
    return {"method": method, "reason": reason, "blocks": "changed" if method == "changed" else blocks}


def restore_volume(
    repo: repository.Repository,
    export: ids.ExportId,
    writer: BlockWriter,
    *,
    cancel: cancels.CancelToken,
    progress: Progress,
) -> int:
    """Write an export to a new volume and commit it; return the bytes written. Zeros are not written.

    Progress is how far it has come in the volume, holes included.

    Raises:
        ExportMissing: If there is no such export.
        RepositoryDamaged: If something of it is missing or not what was written.
    """
    written = _scatter(repo, repo.reader(), export, writer.write, cancel, progress)
    writer.commit()
    return written


def size_of(repo: repository.Repository, export: ids.ExportId) -> int:
    """Return the size of an exported volume, for making the new one.

    Raises:
        ExportMissing: If there is no such export.
    """
    return _root(repo.manifest(export)).size_bytes


def data_of(repo: repository.Repository, export: ids.ExportId) -> int:
    """Return how much of an exported volume is stored, that is not zero; only its map is read.

    Raises:
        ExportMissing: If there is no such export.
    """
    volume = map_of(repo, export, repo.reader())
    size = volume.root.size_bytes
    offsets = (offset for _, batch in _batches(volume) for offset, _ in batch)
    return sum(min(CHUNK, size - offset) for offset in offsets)


def verify_volume(
    repo: repository.Repository,
    export: ids.ExportId,
    *,
    cancel: cancels.CancelToken,
    progress: Progress,
) -> int:
    """Read all of an export and hash it again; return the bytes read.

    Raises:
        ExportMissing: If there is no such export.
        RepositoryDamaged: If something of it is missing or not what was written.
    """
    return _scatter(repo, repo.reader(rehash=True), export, lambda *_: None, cancel, progress)


def _scatter(
    repo: repository.Repository,
    chunks: reader.Reader,
    export: ids.ExportId,
    sink: reader.Sink,
    cancel: cancels.CancelToken,
    progress: Progress,
) -> int:
    volume = map_of(repo, export, chunks)
    size = volume.root.size_bytes
    ends: deque[int] = deque()
    done = 0

    def batches() -> Iterator[Sequence[tuple[int, bytes]]]:
        for end, batch in _batches(volume):
            ends.append(end)
            yield batch

    def count(written: int) -> None:
        nonlocal done
        done += written
        progress(min(ends.popleft(), size), size)

    chunks.scatter(batches(), sink, cancel, count)
    progress(size, size)
    return done


def map_of(repo: repository.Repository, export: ids.ExportId, chunks: reader.Reader) -> volume_map.MapReader:
    """Return the map of an exported volume.

    Raises:
        ExportMissing: If there is no such export.
    """
    return volume_map.MapReader(_root(repo.manifest(export)), chunks.fetch)


def _batches(volume: volume_map.MapReader) -> Iterator[tuple[int, Sequence[tuple[int, bytes]]]]:
    """Yield where a batch ends, and its chunks with their offsets, in order."""
    batch: list[tuple[int, bytes]] = []
    for number, page in volume.pages():
        start, end = number * FANOUT * CHUNK, (number + 1) * FANOUT * CHUNK
        batch += [item for item in zip(range(start, end, CHUNK), _IDS.unpack(page), strict=True) if item[1] != HOLE]
        if len(batch) >= _BATCH:
            yield end, batch
            batch = []
    if batch:
        yield end, batch


def _root(manifest: exports.Manifest) -> volume_map.VolumeRoot:
    if manifest.kind != KIND:
        raise failures.ExportMissing(
            f"the export {manifest.export} is not that of a volume but a {manifest.kind}",
            hint="choose the export of a volume",
        )
    return volume_map.VolumeRoot.of(manifest)
