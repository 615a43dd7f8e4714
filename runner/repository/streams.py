"""Streams: what a command writes to its standard output, stored in chunks; and what its input gets back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import blake3

from runner.base import cancel as cancels
from runner.base import errors, ids
from runner.registry.location import Buffer
from runner.repository import chunking, contents, exports, failures, sequences, writer
from runner.repository.repository import Repository

Progress = Callable[[int], None]

KIND = "stream"


class StreamCapture:
    """Stores one stream as it arrives, in memory that does not grow with it.

    Nothing can be found in the repository before `finish`: whoever feeds it decides by then whether the stream came
    to a good end.

    Args:
        repo: Where the export is made.
        sink: The writer of the export.
        progress: Called with the number of bytes that have arrived.
    """

    def __init__(self, repo: Repository, sink: writer.Writer, progress: Progress) -> None:
        self.length = 0
        self._sink = sink
        self._progress = progress
        self._content = contents.ContentWriter(sink)
        self._chunker = chunking.Chunker(repo.derive_seed(chunking.PURPOSE))
        self._hasher = blake3.blake3()
        self._gathered = bytearray()

    def feed(self, data: Buffer) -> None:
        """Take the next piece, of any size; waits while the repository is slower than the stream."""
        self._gathered += data
        self.length += len(data)
        if len(self._gathered) >= chunking.BLOCK:
            self._store()
            self._progress(self.length)

    def finish(self, source: str) -> exports.ExportResult:
        """Make the export of everything that was fed.

        Args:
            source: What the manifest says it is an export of.
        """
        self._store()
        self._content.add(self._chunker.end())
        top = self._content.finish()
        self._sink.stats.bytes_read = self.length
        export = self._sink.finish(
            {
                "kind": KIND,
                "source": source,
                "roots": list(top.ids),
                "body": {"content": top.to_cbor(), "length": self.length, "hash": self._hasher.digest()},
                "facts": {"bytes": self.length},
            }
        )
        self._progress(self.length)
        stats = self._sink.stats
        return exports.ExportResult(
            export=export, bytes_read=self.length, bytes_new=stats.bytes_new, bytes_stored=stats.bytes_stored
        )

    def _store(self) -> None:
        self._hasher.update(self._gathered)
        self._content.add(self._chunker.feed(self._gathered))
        self._gathered.clear()


class StreamSource:
    """The content of a stream, read ahead in other threads; iterate over it once.

    Args:
        repo: Where the export is.
        export: The export.
        cancel: Says when to give up.
        progress: Called with the number of bytes that were handed out.

    Attributes:
        length: How many bytes were handed out.
    """

    def __init__(
        self, repo: Repository, export: ids.ExportId, *, cancel: cancels.CancelToken, progress: Progress
    ) -> None:
        self._manifest = repo.manifest(export)
        if self._manifest.kind != KIND:
            raise failures.ExportMissing(
                f"the export {export} holds a {self._manifest.kind}, not a stream",
                hint="restore it with the function for its kind",
            )
        self._reader = repo.reader()
        self._cancel = cancel
        self._progress = progress
        self._hasher = blake3.blake3()
        self.length = 0

    @property
    def is_complete(self) -> bool:
        """Whether everything was handed out."""
        return self.length == self._manifest.body.get("length")

    def __iter__(self) -> Iterator[bytes]:
        """Yield the content in pieces.

        Raises:
            PermanentError: As `prove`, after the last piece.
        """
        content = sequences.from_cbor(self._manifest.body.get("content"), iter(self._manifest.roots))
        for chunk in self._reader.read(sequences.chunks(self._reader, content), self._cancel):
            self._cancel.raise_if_cancelled()
            self._hasher.update(chunk)
            self.length += len(chunk)
            self._progress(self.length)
            yield chunk
        self.prove()

    def prove(self) -> None:
        """See that what was handed out is all of what was captured.

        Raises:
            PermanentError: RT419 if it is not.
        """
        if not self.is_complete or self._hasher.digest() != self._manifest.body.get("hash"):
            raise errors.PermanentError(
                f"the export {self._manifest.export} differs from the stream that was captured",
                code="RT419",
                hint="run `runner repository check --read-data`, and restore an older restore point",
                context={"export": self._manifest.export},
            )


def verify_stream(repo: Repository, export: ids.ExportId, *, cancel: cancels.CancelToken, progress: Progress) -> int:
    """Read a whole stream and compare it with the hash taken when it was captured; return its length.

    Raises:
        PermanentError: RT419 if it differs.
    """
    source = StreamSource(repo, export, cancel=cancel, progress=progress)
    for _ in source:
        continue
    return source.length
