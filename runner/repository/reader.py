"""Get chunks back: look up, fetch neighbours together, decrypt and decompress, in worker threads."""

from __future__ import annotations

import contextlib
import copy
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from typing import TypeAlias

from runner.base import cancel as cancels
from runner.registry import location as locations
from runner.repository import crypto, failures, neighbours, opening, records
from runner.repository import index as indexes
from runner.repository.opening import Sealed

Sink: TypeAlias = Callable[[int, memoryview], None]

_BATCH_CHUNKS = 16
_BATCH_BYTES = 4 * 1024 * 1024
# An object store takes as long to answer a request as to send this much, so a smaller gap is read over.
_GAP = 512 * 1024
# What lies side by side is handed on together, as long as it stays in the cache of a core.
_STRETCH = 1024 * 1024
# Who reads waits for the location half of the time and more.
_THREADS_PER_WORKER = 2


def default_workers() -> int:
    """Return how many threads move data on this machine."""
    return min(8, max(2, os.cpu_count() or 2))


class Reader:
    """Reads chunks by id; safe from several threads.

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
        self._index = index
        self._neighbours = neighbours.Neighbours(keys, index)
        self._opener = opening.Opener(keys, rehash=rehash)
        self._buffers = opening.Buffers()
        self._threads = (workers or default_workers()) * _THREADS_PER_WORKER

    def chunk(self, chunk: bytes) -> bytes:
        """Return the content of one chunk.

        Raises:
            RepositoryDamaged: If it is missing or not what was written.
        """
        return dict(self.fetch([chunk]))[0]

    def open_record(self, record: records.Record) -> bytes:
        """Return the content of a chunk at a known place."""
        return dict(self.fetch_records([record]))[0]

    def read(self, chunks: Iterable[bytes], cancel: cancels.CancelToken | None = None) -> Iterator[bytes]:
        """Yield the contents of chunks, in order; a bounded number of them is read ahead in several threads.

        Args:
            chunks: Their ids.
            cancel: Says when to give up what waits for its turn at the location.

        Raises:
            RepositoryDamaged: If one is missing or not what was written.
        """
        waiting: deque[futures.Future[list[bytes]]] = deque()
        with self._threaded("read", cancel or cancels.CancelToken()) as (pool, part):
            for batch in _batches(map(part._locate, chunks)):
                waiting.append(pool.submit(part._ordered, batch))
                if len(waiting) > self._threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()

    def scatter(
        self,
        batches: Iterable[Sequence[tuple[int, bytes]]],
        sink: Sink,
        cancel: cancels.CancelToken,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        """Read chunks in any order and hand them to `sink`, in several threads.

        Args:
            batches: Offsets with ids; each batch is one unit of work, read together.
            sink: Called with offset and content of chunks that lie side by side; the content is good until it returns.
            cancel: Says when to give up.
            on_batch: Called with the number of bytes of each finished batch.

        Raises:
            RepositoryDamaged: If a chunk is missing or not what was written.
        """
        waiting: deque[futures.Future[int]] = deque()
        with self._threaded("restore", cancel) as (pool, part):
            for batch in batches:
                cancel.raise_if_cancelled()
                waiting.append(pool.submit(part._deliver, batch, sink))
                if len(waiting) > self._threads * 2:
                    _finish(waiting, on_batch)
            while waiting:
                cancel.raise_if_cancelled()
                _finish(waiting, on_batch)

    @contextlib.contextmanager
    def _threaded(self, name: str, cancel: cancels.CancelToken) -> Iterator[tuple[futures.ThreadPoolExecutor, Reader]]:
        """Yield threads, and a reader for them which gives up when the context is left."""
        with (
            futures.ThreadPoolExecutor(self._threads, thread_name_prefix=name) as pool,
            contextlib.ExitStack() as stack,
        ):
            stack.callback(pool.shutdown, wait=False, cancel_futures=True)
            yield pool, self.giving_up(stack.enter_context(cancels.within(cancel)))

    def giving_up(self, cancel: cancels.CancelToken) -> Reader:
        """Return the same reader, which does not wait for its turn at the location once a token is cancelled."""
        part = copy.copy(self)
        part._location = locations.giving_up(self._location, cancel)
        return part

    def _locate(self, chunk: bytes) -> records.Record:
        return self._neighbours.locate(chunk, self._location)

    def _deliver(self, batch: Sequence[tuple[int, bytes]], sink: Sink) -> int:
        size = 0
        for fetched in self._fetched([self._locate(chunk) for _, chunk in batch], anywhere=True):
            for offset, stretch in _stretches(fetched, batch):
                content = self._open(stretch)
                sink(offset, content)
                size += len(content)
        return size

    def _ordered(self, wanted: Sequence[records.Record]) -> list[bytes]:
        found = dict(self._opened(wanted))
        return [found[number] for number in range(len(wanted))]

    def fetch(self, chunks: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Yield number and content of each chunk in the calling thread, in the order in which they are stored.

        A thread must have taken all from one call before it makes another.

        Raises:
            RepositoryDamaged: If one is missing or not what was written.
        """
        return self._opened([self._locate(chunk) for chunk in chunks])

    def _opened(self, wanted: Sequence[records.Record]) -> Iterator[tuple[int, bytes]]:
        for fetched in self._fetched(wanted, anywhere=True):
            for sealed in fetched:
                yield sealed.number, bytes(self._open([sealed]))

    def _open(self, chunks: Sequence[Sealed]) -> memoryview:
        """Open some chunks; what is damaged may have been stored again elsewhere."""
        try:
            return self._opener.open(chunks)
        except failures.RepositoryDamaged as problem:
            return memoryview(b"".join([self._open_one(sealed, problem) for sealed in chunks]))

    def _open_one(self, sealed: Sealed, problem: failures.RepositoryDamaged) -> bytes:
        with contextlib.suppress(failures.RepositoryDamaged):
            return bytes(self._opener.open([sealed]))
        for record in self._index.find_all(sealed.record.id):
            # The buffer of the thread holds what lies beside the chunk.
            data = memoryview(bytearray(record.stored))
            with contextlib.suppress(locations.LocationError, failures.RepositoryDamaged):
                self._location.read_into(records.pack_name(record.pack), record.offset, data)
                return bytes(self._opener.open([Sealed(sealed.number, record, data)]))
        raise problem

    def fetch_records(
        self, wanted: Sequence[records.Record], *, decompress: bool = True
    ) -> Iterator[tuple[int, bytes]]:
        """Do what `fetch` does, for chunks at these very places; without decompression for packing them anew.

        Only what has vanished from there is fetched from elsewhere.
        """
        for fetched in self._fetched(wanted):
            for sealed in fetched:
                yield sealed.number, bytes(self._opener.open([sealed]) if decompress else self._opener.unseal(sealed))

    def _fetched(self, wanted: Sequence[records.Record], *, anywhere: bool = False) -> Iterator[list[Sealed]]:
        """Yield chunks as they are stored, those together that lie close together.

        Args:
            wanted: Their places.
            anywhere: Whether what is cut off may be fetched from elsewhere, as what has vanished is.
        """
        moved: list[tuple[records.Record, int]] = []
        for run in _runs(sorted(((record, number) for number, record in enumerate(wanted)), key=_place)):
            try:
                fetched = self._fetch_run(run)
            except locations.ObjectMissing:
                moved += run
                continue
            except failures.RepositoryDamaged:
                if not anywhere:
                    raise
                moved += run
                continue
            yield fetched
        if moved:
            # Pruning packs chunks anew and removes the old pack; the new place is in the index before that.
            self._index.refresh()
        for pack in {old.pack for old, _ in moved}:
            self._neighbours.forget(pack)
        for old, number in moved:
            yield self._fetch_elsewhere(old, number)

    def _fetch_elsewhere(self, old: records.Record, number: int) -> list[Sealed]:
        """Fetch a chunk whose pack has vanished from wherever else it lies; a record may outlive its pack."""
        problem = failures.damaged(records.pack_name(old.pack), "it is missing")
        for record in self._index.find_all(old.id):
            try:
                return self._fetch_run([(record, number)])
            except locations.ObjectMissing:
                continue
            except failures.RepositoryDamaged as found:
                problem = found
        raise problem

    def _fetch_run(self, run: Sequence[tuple[records.Record, int]]) -> list[Sealed]:
        first = run[0][0]
        start = first.offset
        length = max(record.offset + record.stored for record, _ in run) - start
        target = self._buffers.get("sealed", length)
        name = records.pack_name(first.pack)
        try:
            self._location.read_into(name, start, target)
        except locations.ObjectMissing:
            raise
        except locations.LocationError as problem:
            if self._location.stat(name).size < start + length:
                raise failures.damaged(name, "it is too short") from problem
            raise
        return [Sealed(number, record, target[record.offset - start :][: record.stored]) for record, number in run]


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


def _stretches(fetched: Sequence[Sealed], batch: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, list[Sealed]]]:
    """Yield offsets with the chunks that lie side by side from there on."""
    stretch: list[Sealed] = []
    start = end = 0
    for sealed in sorted(fetched):
        offset = batch[sealed.number][0]
        if stretch and (offset != end or end - start >= _STRETCH):
            yield start, stretch
            stretch = []
        if not stretch:
            start = end = offset
        stretch.append(sealed)
        end += sealed.record.plain
    if stretch:
        yield start, stretch


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
