"""Get chunks back: look up, fetch neighbours together, decrypt and decompress, in worker threads."""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures

import zstandard

from runner.base import cancel as cancels
from runner.registry import location as locations
from runner.repository import crypto, exports, failures, neighbours, packs, records
from runner.repository import index as indexes

_BATCH_CHUNKS = 16
_BATCH_BYTES = 4 * 1024 * 1024
# Reading over a small gap costs less than another call.
_GAP = 64 * 1024
_CACHED_BOXES = 64
# Who reads waits for the location half of the time and more.
_THREADS_PER_WORKER = 2


def default_workers() -> int:
    """Return how many threads move data on this machine."""
    return min(8, max(2, os.cpu_count() or 2))


class Reader:
    """Reads chunks by id; safe from several threads.

    The tag of a chunk proves that it is the one that was written under this id.

    Args:
        location: Where the repository is.
        keys: Its keys.
        index: Its index.
        workers: How many threads move data.
        rehash: Whether to hash contents again, so that even a mistake of the writer is found.
    """

    def __init__(
        self,
        location: locations.Location,
        keys: crypto.Keys,
        index: indexes.Index,
        workers: int | None = None,
        *,
        rehash: bool = False,
    ) -> None:
        self._location = location
        self._keys = keys
        self._index = index
        self._neighbours = neighbours.Neighbours(location, keys, index)
        self._threads = (workers or default_workers()) * _THREADS_PER_WORKER
        self._rehash = rehash
        self._local = threading.local()
        self._box = functools.lru_cache(_CACHED_BOXES)(functools.partial(packs.box_of, keys))

    def chunk(self, chunk: bytes) -> bytes:
        """Return the content of one chunk.

        Raises:
            RepositoryDamaged: If it is missing or not what was written.
        """
        return dict(self.fetch([chunk]))[0]

    def open_record(self, record: records.Record) -> bytes:
        """Return the content of a chunk at a known place."""
        return dict(self.fetch_records([record]))[0]

    def read(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the contents of chunks, in order; a bounded number of them is read ahead in several threads.

        Raises:
            RepositoryDamaged: If one is missing or not what was written.
        """
        with futures.ThreadPoolExecutor(self._threads, thread_name_prefix="read") as pool:
            waiting: deque[futures.Future[list[bytes]]] = deque()
            try:
                for batch in _batches(map(self._neighbours.locate, chunks)):
                    waiting.append(pool.submit(self._ordered, batch))
                    if len(waiting) > self._threads:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def scatter(
        self,
        batches: Iterable[Sequence[tuple[int, bytes]]],
        sink: Callable[[int, bytes], None],
        cancel: cancels.CancelToken,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        """Read chunks in any order and hand each to `sink`, in several threads.

        Args:
            batches: Positions with ids; each batch is one unit of work, read together.
            sink: Called with position and content.
            cancel: Says when to give up.
            on_batch: Called with the number of bytes of each finished batch.

        Raises:
            RepositoryDamaged: If a chunk is missing or not what was written.
        """
        with futures.ThreadPoolExecutor(self._threads, thread_name_prefix="restore") as pool:
            waiting: deque[futures.Future[int]] = deque()
            try:
                for batch in batches:
                    cancel.raise_if_cancelled()
                    waiting.append(pool.submit(self._deliver, batch, sink))
                    if len(waiting) > self._threads * 2:
                        _finish(waiting, on_batch)
                while waiting:
                    cancel.raise_if_cancelled()
                    _finish(waiting, on_batch)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, batch: Sequence[tuple[int, bytes]], sink: Callable[[int, bytes], None]) -> int:
        size = 0
        for number, content in self.fetch([chunk for _, chunk in batch]):
            sink(batch[number][0], content)
            size += len(content)
        return size

    def _ordered(self, wanted: Sequence[records.Record]) -> list[bytes]:
        found = dict(self.fetch_records(wanted))
        return [found[number] for number in range(len(wanted))]

    def fetch(self, chunks: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Yield number and content of each chunk in the calling thread, in the order in which they are stored.

        A thread must have taken all from one call before it makes another.

        Raises:
            RepositoryDamaged: If one is missing or not what was written.
        """
        return self.fetch_records([self._neighbours.locate(chunk) for chunk in chunks])

    def fetch_records(
        self, wanted: Sequence[records.Record], *, decompress: bool = True
    ) -> Iterator[tuple[int, bytes]]:
        """Do what `fetch` does, for chunks whose places are known; without decompression for packing them anew."""
        unpack = self.open if decompress else self._unseal_copy
        moved: list[tuple[records.Record, int]] = []
        for run in _runs(sorted(((record, number) for number, record in enumerate(wanted)), key=_place)):
            try:
                data = self._fetch_run(run)
            except locations.ObjectMissing:
                moved += run
                continue
            start = run[0][0].offset
            for record, number in run:
                yield number, unpack(record, data[record.offset - start :][: record.stored])
        if moved:
            # Pruning packs chunks anew and removes the old pack; the new place is in the index before that.
            self._index.refresh()
        for pack in {old.pack for old, _ in moved}:
            self._neighbours.forget(pack)
        for old, number in moved:
            record, data = self._fetch_elsewhere(old, number)
            yield number, unpack(record, data)

    def _fetch_elsewhere(self, old: records.Record, number: int) -> tuple[records.Record, memoryview]:
        """Fetch a chunk whose pack has vanished from wherever else it lies; a record may outlive its pack."""
        for record in self._index.find_all(old.id):
            try:
                return record, self._fetch_run([(record, number)])
            except locations.ObjectMissing:
                continue
        raise failures.damaged(records.pack_name(old.pack), "it is missing")

    def _fetch_run(self, run: Sequence[tuple[records.Record, int]]) -> memoryview:
        first = run[0][0]
        length = max(record.offset + record.stored for record, _ in run) - first.offset
        target = self._scratch("sealed", length)
        name = records.pack_name(first.pack)
        try:
            self._location.read_into(name, first.offset, target)
        except locations.ObjectMissing:
            raise
        except locations.LocationError as problem:
            if self._location.stat(name).size < first.offset + length:
                raise failures.damaged(name, "it is too short") from problem
            raise
        return target

    def open(self, record: records.Record, sealed: memoryview) -> bytes:
        """Decrypt and decompress a chunk.

        Raises:
            RepositoryDamaged: If it is not what was written.
        """
        content = self._unseal(record, sealed)
        plain = bytes(content) if record.codec == records.Codec.RAW else self._decompress(record, content)
        if len(plain) != record.plain or (self._rehash and not self._is_intact(record, plain)):
            raise failures.damaged(records.pack_name(record.pack), "a chunk is not what its id says")
        return plain

    def _unseal(self, record: records.Record, sealed: memoryview) -> memoryview:
        content = self._scratch("content", record.stored - crypto.TAG_SIZE)
        self._box(record.pack).open_into(record.ordinal, sealed, record.bound(), content)
        return content

    def _unseal_copy(self, record: records.Record, sealed: memoryview) -> bytes:
        return bytes(self._unseal(record, sealed))

    def _decompress(self, record: records.Record, content: memoryview) -> bytes:
        try:
            return self._decompressor().decompress(content, max_output_size=record.plain)
        except zstandard.ZstdError as problem:
            raise failures.damaged(records.pack_name(record.pack), "a chunk cannot be decompressed") from problem

    def _is_intact(self, record: records.Record, plain: bytes) -> bool:
        if record.kind == crypto.Kind.MANIFEST:
            return self._keys.manifest_id(exports.decode(record.id, plain).token) == record.id
        return self._keys.chunk_id(crypto.Kind(record.kind), plain) == record.id

    def _scratch(self, name: str, length: int) -> memoryview:
        buffer: bytearray = getattr(self._local, name, bytearray())
        if len(buffer) < length:
            buffer = bytearray(max(length, 128 * 1024))
            setattr(self._local, name, buffer)
        return memoryview(buffer)[:length]

    def _decompressor(self) -> zstandard.ZstdDecompressor:
        try:
            found: zstandard.ZstdDecompressor = self._local.decompressor
        except AttributeError:
            found = self._local.decompressor = zstandard.ZstdDecompressor()
        return found


def _finish(waiting: deque[futures.Future[int]], on_batch: Callable[[int], None] | None) -> None:
    size = waiting.popleft().result()
    if on_batch is not None:
        on_batch(size)


def _place(item: tuple[records.Record, int]) -> tuple[bytes, int]:
    return item[0].pack, item[0].offset


def _runs(wanted: Sequence[tuple[records.Record, int]]) -> Iterator[list[tuple[records.Record, int]]]:
    run: list[tuple[records.Record, int]] = []
    end = 0
    for item in wanted:
        record = item[0]
        near = run and record.pack == run[0][0].pack and record.offset <= end + _GAP
        if run and not (near and record.offset + record.stored - run[0][0].offset <= _BATCH_BYTES):
            yield run
            run = []
        run.append(item)
        end = record.offset + record.stored
    if run:
        yield run


def _batches(found: Iterable[records.Record]) -> Iterator[list[records.Record]]:
    batch: list[records.Record] = []
    size = 0
    for record in found:
        if batch and (len(batch) == _BATCH_CHUNKS or size + record.plain > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += record.plain
    if batch:
        yield batch
