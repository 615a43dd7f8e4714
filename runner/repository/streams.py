"""Streams: what a command writes to its standard output, stored in chunks; and written to a command's input again."""

from __future__ import annotations

import fcntl
import os
import select
from collections.abc import Callable, Iterator
from contextlib import suppress

import blake3

from runner.base import cancel as cancels
from runner.base import errors, ids
from runner.registry.location import Buffer
from runner.repository import chunking, contents, exports, failures, sequences
from runner.repository.repository import Repository

Progress = Callable[[int], None]

# How often a pipe that is silent, or full, is left to see whether the work is to be given up.
_PATIENCE_MS = 500
# A larger pipe saves waking both sides up for each 64 KiB.
_PIPE_BYTES = 1024 * 1024


def backup_stream(
    repo: Repository,
    descriptor: int,
    *,
    source: str,
    token: str,
    ended: Callable[[], None],
    run: str = "",
    cancel: cancels.CancelToken,
    progress: Progress,
) -> exports.ExportResult:
    """Store everything that comes from a descriptor, until its end, as one export.

    Args:
        repo: Where the export is made.
        descriptor: The reading end of a pipe, or a file.
        source: What the manifest says it is an export of.
        token: Token of the phase.
        ended: Called when the stream has ended and before the export exists; what it raises keeps it from existing.
            A command that fails after it has written something is found out here.
        run: The run, shown to others who find the repository locked.
        cancel: Says when to give up.
        progress: Called with the number of bytes read.
    """
    with repo.writer(token=token, cancel=cancel, run=run) as sink:
        content = contents.ContentWriter(sink)
        chunker = chunking.Chunker(repo.derive_seed(chunking.PURPOSE))
        hasher = blake3.blake3()
        length = 0
        for block in _blocks(descriptor, cancel):
            hasher.update(block)
            content.add(chunker.feed(block))
            length += len(block)
            progress(length)
        content.add(chunker.end())
        top = content.finish()
        ended()
        sink.stats.bytes_read = length
        export = sink.finish(
            {
                "kind": "stream",
                "source": source,
                "roots": list(top.ids),
                "body": {"content": top.to_cbor(), "length": length, "hash": hasher.digest()},
                "facts": {"bytes": length},
            }
        )
        stats = sink.stats
        return exports.ExportResult(
            export=export, bytes_read=length, bytes_new=stats.bytes_new, bytes_stored=stats.bytes_stored
        )


def restore_stream(
    repo: Repository, export: ids.ExportId, descriptor: int, *, cancel: cancels.CancelToken, progress: Progress
) -> int:
    """Write an export of a stream to a descriptor; return its length.

    Raises:
        BrokenPipeError: If the reader at the other end goes away before the end.
        PermanentError: RT419 if what was written is not what was captured.
    """
    return _deliver(repo, export, lambda chunk: _write(descriptor, chunk, cancel), cancel, progress)


def verify_stream(repo: Repository, export: ids.ExportId, *, cancel: cancels.CancelToken, progress: Progress) -> int:
    """Read an export of a stream and compare it with the hash taken when it was captured; return its length.

    Raises:
        PermanentError: RT419 if it differs.
    """
    return _deliver(repo, export, lambda chunk: None, cancel, progress)


def widen(descriptor: int) -> None:
    """Let a pipe hold more, where the system allows it."""
    with suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _deliver(
    repo: Repository,
    export: ids.ExportId,
    sink: Callable[[Buffer], None],
    cancel: cancels.CancelToken,
    progress: Progress,
) -> int:
    manifest = repo.manifest(export)
    if manifest.kind != "stream":
        raise failures.ExportMissing(
            f"the export {export} holds a {manifest.kind}, not a stream",
            hint="restore it with the function for its kind",
        )
    reader = repo.reader()
    content = sequences.from_cbor(manifest.body.get("content"), iter(manifest.roots))
    hasher = blake3.blake3()
    length = 0
    for chunk in reader.read(sequences.chunks(reader, content)):
        cancel.raise_if_cancelled()
        hasher.update(chunk)
        sink(chunk)
        length += len(chunk)
        progress(length)
    if (length, hasher.digest()) != (manifest.body.get("length"), manifest.body.get("hash")):
        raise errors.PermanentError(
            f"the export {export} differs from the stream that was captured",
            code="RT419",
            hint="run `runner repository check --read-data`, and restore an older restore point",
            context={"export": export},
        )
    return length


def _blocks(descriptor: int, cancel: cancels.CancelToken) -> Iterator[memoryview]:
    """Yield what comes, gathered to blocks; a block is valid until the next one is asked for."""
    block = memoryview(bytearray(chunking.BLOCK))
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    filled, ended = 0, False
    while not ended:
        cancel.raise_if_cancelled()
        if not poller.poll(_PATIENCE_MS):
            continue
        count = os.readv(descriptor, [block[filled:]])
        ended = count == 0
        filled += count
        if filled == len(block) or (ended and filled):
            yield block[:filled]
            filled = 0


def _write(descriptor: int, data: Buffer, cancel: cancels.CancelToken) -> None:
    """Write all of the data to a pipe that does not block."""
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    rest = memoryview(data)
    while len(rest):
        cancel.raise_if_cancelled()
        if poller.poll(_PATIENCE_MS):
            with suppress(BlockingIOError):
                rest = rest[os.write(descriptor, rest) :]
