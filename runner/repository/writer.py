"""Put chunks into a repository: hash, look up, compress, encrypt and store, in worker threads."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import errors, ids
from runner.registry import location as locations
from runner.registry.location import Buffer
from runner.repository import compression, crypto, encoding, exports, locks, packing, packs, pending, records, segments
from runner.repository import index as indexes

Result = TypeVar("Result")
Progress = Callable[[int], None]

# What a killed export has stored since the last checkpoint is sent again by the next attempt.
CHECKPOINT_CHUNKS = 65_536
CHECKPOINT_S = 60.0
# A group is hashed, compressed and sealed together: few enough bytes to stay in the cache of a core, enough chunks
# that they can be read back with few calls.
_GROUP_CHUNKS = 16
_GROUP_BYTES = 4 * 1024 * 1024
_LONGEST_WAIT_S = 0.5


class Stats(msgspec.Struct):
    """What a writer has done so far, in bytes.

    Attributes:
        bytes_read: Counted by the source.
        bytes_new: Data that the repository did not have, before compression.
        bytes_stored: Everything that was added, metadata included, compressed and encrypted; known after `finish`.
    """

    bytes_read: int = 0
    bytes_new: int = 0
    bytes_stored: int = 0


class Writer:
    """Writes one export; a context within which a shared lock is held.

    Leaving it without `finish` leaves no export that can be found. After a failure the chunks that have arrived can be,
    so that the next attempt does not send them again.

    Args:
        location: Where the repository is.
        keys: Its keys.
        index: Its index.
        lock: The shared lock to hold.
        token: Token of the phase.
        cancel: Says when to give up.
        random: Source of salts.
        clock: The time of the manifest.
        workers: How many threads compress.
        progress: Called with the number of bytes that were added so far.
    """

    def __init__(
        self,
        location: locations.Location,
        keys: crypto.Keys,
        index: indexes.Index,
        lock: locks.Lock,
        *,
        token: str,
        cancel: cancels.CancelToken,
        random: ids.RandomBytes,
        clock: clocks.Clock,
        workers: int,
        progress: Progress | None,
    ) -> None:
        self.stats = Stats()
        self.workers = workers
        self._location = location
        self._keys = keys
        self._index = index
        self._lock = lock
        self._token = token
        self._cancel = cancel
        self._random = random
        self._clock = clock
        self._progress = progress
        self._guard = threading.Lock()
        self._claimed: set[bytes] = set()
        self._durable: dict[bytes, Sequence[bytes]] = {}
        self._durable_count = 0
        self._checkpointed = clock.monotonic()
        self._added = 0
        self._finishing = False
        self._compressor = compression.Compressor()
        # What waits for its turn at the location gives up with the export.
        self._stop, self._forget_stop = cancels.linked(cancel)
        self._packer = packing.Packer(locations.giving_up(location, self._stop), keys, random, self._on_pack_stored)
        self._pool = futures.ThreadPoolExecutor(workers, thread_name_prefix="export")
        self._slots = threading.Semaphore(workers * 2)

    def __enter__(self) -> Writer:
        self._lock.__enter__()
        try:
            self._check_room()
            # Only now is it certain that no pruning takes away what the index names and does not know as condemned.
            self._index.refresh()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget_stop()
        if kind is not None:
            self._stop.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._packer.shutdown()
        if kind is not None:
            # If this fails too, the packs are left to pruning.
            with contextlib.suppress(errors.RunnerError):
                self._write_segment(self._take_durable())
        self._lock.__exit__(kind, problem, trace)

    def submit(self, task: Callable[[], Result]) -> futures.Future[Result]:
        """Run a task in a worker thread, where it may call `store`; waits while too many are queued.

        Raises:
            Cancelled: If the work is to be given up (or `TimedOut`).
        """
        self._lock.confirm_if_due()
        self._cancel.raise_if_cancelled()
        while not self._slots.acquire(timeout=_LONGEST_WAIT_S):
            self._cancel.raise_if_cancelled()
        future = self._pool.submit(task)
        future.add_done_callback(lambda _: self._slots.release())
        return future

    def settle(self) -> None:
        """Wait until nothing is left of all tasks that were submitted."""
        for _ in range(self.workers * 2):
            self._slots.acquire()
        self._slots.release(self.workers * 2)

    def add(self, buffers: Sequence[Buffer], kind: crypto.Kind = crypto.Kind.DATA) -> futures.Future[list[bytes]]:
        """Store chunks in a worker thread; the result is their ids, in order.

        The buffers must not be changed before the result is there. Waits while too many batches are queued.
        """
        return self.submit(lambda: self.store(buffers, kind))

    def add_all(self, chunks: Iterable[Buffer], kind: crypto.Kind = crypto.Kind.DATA) -> Iterator[bytes]:
        """Store chunks in worker threads, yielding their ids in order.

        Looks ahead by a bounded number of chunks; a buffer must not be changed before its id was yielded.
        """
        waiting: deque[futures.Future[list[bytes]]] = deque()
        for batch in _batches(chunks):
            waiting.append(self.add(batch, kind))
            if len(waiting) >= self.workers * 2:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()

    def store(
        self,
        buffers: Sequence[Buffer],
        kind: crypto.Kind = crypto.Kind.DATA,
        expected: Sequence[bytes] | None = None,
    ) -> list[bytes]:
        """Store chunks in the calling thread; return their ids, in order.

        Chunks that the repository has already are not stored again.

        Args:
            buffers: The chunks, each at most `records.LARGEST_CHUNK` long.
            kind: What they hold.
            expected: For each chunk an id that is known to be in the repository; if it is that of the chunk, the
                index need not be asked.
        """
        found: list[bytes] = []
        for group in _batches(buffers):
            chunk_ids = [self._keys.chunk_id(kind, buffer) for buffer in group]
            known = () if expected is None else expected[len(found) : len(found) + len(group)]
            new = self._claim(set(chunk_ids).difference(known))
            if new:
                self._pack(kind, {chunk: data for chunk, data in zip(chunk_ids, group, strict=True) if chunk in new})
            found += chunk_ids
        self._report(sum(len(buffer) for buffer in buffers))
        return found

    def count_read(self, count: int) -> None:
        """Count bytes read from the source."""
        with self._guard:
            self.stats.bytes_read += count

    def finish(self, manifest: Mapping[str, encoding.CborValue]) -> ids.ExportId:
        """Make everything durable and the export visible; return its id.

        Args:
            manifest: `kind`, `source`, `roots`, and if needed `body` and `facts`, as in `exports.Manifest`.

        Raises:
            RepositoryLocked: If the lock was lost meanwhile.
        """
        self._cancel.raise_if_cancelled()
        self._pool.shutdown(wait=True)
        self.stats.bytes_stored = self._packer.bytes_stored
        chunk = self._keys.manifest_id(self._token)
        head = self._manifest(chunk, manifest)
        with self._guard:
            self._finishing = True
        self._pack(crypto.Kind.MANIFEST, {chunk: exports.encode(head)})
        self._packer.flush()
        self._lock.confirm()
        self._cancel.raise_if_cancelled()
        self._mark(head.export, is_stored=False)
        self._write_segment(self._take_durable())
        # From now on pruning takes it for damage if no segment names the export.
        self._mark(head.export, is_stored=True)
        return head.export

    def _mark(self, export: ids.ExportId, *, is_stored: bool) -> None:
        run = self._lock.run
        if run:
            pending.put(self._location, self._keys, export, run, self._random, is_stored=is_stored)

    def _manifest(self, chunk: bytes, parts: Mapping[str, Any]) -> exports.Manifest:
        return exports.Manifest(
            export=exports.export_id(chunk),
            token=self._token,
            created=self._clock.now(),
            bytes_read=self.stats.bytes_read,
            bytes_new=self.stats.bytes_new,
            bytes_stored=self.stats.bytes_stored,
            **parts,
        )

    def _claim(self, chunk_ids: set[bytes]) -> set[bytes]:
        candidates = {chunk for chunk in chunk_ids - self._claimed if not self._index.is_held(chunk)}
        if not candidates:
            return candidates
        with self._guard:
            new = candidates - self._claimed
            self._claimed |= new
        return new

    def _pack(self, kind: crypto.Kind, new: Mapping[bytes, Buffer]) -> None:
        if not new:
            return
        pieces = []
        compressed = self._compressor.compress_all(list(new.values()))
        for (chunk, plain), data in zip(new.items(), compressed, strict=True):
            size = len(plain)
            pieces.append(
                packs.Piece(chunk, kind, records.Codec.ZSTD, size, data)
                if len(data) < size
                else packs.Piece(chunk, kind, records.Codec.RAW, size, plain)
            )
        if kind is crypto.Kind.DATA:
            self._packer.add(pieces)
            with self._guard:
                self.stats.bytes_new += sum(len(plain) for plain in new.values())
        else:
            # It is sealed later, when the memory that was handed in may hold something else.
            self._packer.add_metadata([piece._replace(data=bytes(piece.data)) for piece in pieces])

    def _report(self, count: int) -> None:
        if self._progress is None:
            return
        with self._guard:
            self._added += count
            added = self._added
        self._progress(added)

    def _check_room(self) -> None:
        if isinstance(self._location, locations.Bounded):
            self._location.check_room()

    def _on_pack_stored(self, salt: bytes, entries: Sequence[bytes]) -> None:
        with self._guard:
            self._durable[salt] = entries
            self._durable_count += len(entries)
            is_old = self._clock.monotonic() - self._checkpointed >= CHECKPOINT_S
            due = (is_old or self._durable_count >= CHECKPOINT_CHUNKS) and not self._finishing
            if due:
                self._checkpointed = self._clock.monotonic()
        if due:
            self._checkpoint()
        self._check_room()

    def _checkpoint(self) -> None:
        taken = self._take_durable()
        try:
            self._write_segment(taken)
        except BaseException:
            # There is another chance when the export is given up.
            with self._guard:
                self._durable.update(taken)
            raise

    def _take_durable(self) -> dict[bytes, Sequence[bytes]]:
        with self._guard:
            taken, self._durable, self._durable_count = self._durable, {}, 0
        return taken

    def _write_segment(self, entries: Mapping[bytes, Sequence[bytes]]) -> None:
        if not entries:
            return
        name = segments.write(self._location, self._keys, entries, self._random, lock=self._lock.name)
        # If the lock was taken away before, others disregard the segment; so must this process.
        self._lock.ensure()
        self._index.adopt(name)
        with self._guard:
            for pack in entries.values():
                self._claimed.difference_update(entry[: crypto.ID_SIZE] for entry in pack)


def _batches(chunks: Iterable[Buffer]) -> Iterator[list[Buffer]]:
    batch: list[Buffer] = []
    size = 0
    for chunk in chunks:
        if batch and (len(batch) == _GROUP_CHUNKS or size + len(chunk) > _GROUP_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(chunk)
        size += len(chunk)
    if batch:
        yield batch
