"""Measure what a location can do, with objects of its own that are gone afterwards."""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures

import msgspec

from runner.app import measuring
from runner.base import clock as clocks
from runner.base import errors, ids
from runner.locations import directory
from runner.registry import location as locations

PREFIX = "benchmark-"
PARALLEL = (1, 2, 4, 8)
# As large as a pack.
_OBJECT = 16 << 20
_SMALL = 1024
_ROUNDS = 8
# After so long no further object is begun: a slow location must not take the whole day.
_PATIENCE_S = 10.0


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """Rates in bytes a second with so many objects at a time."""

    parallel: int
    write: float
    read: float


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a location can do.

    Attributes:
        write_s: Median of the seconds that it takes to store a small object; the others likewise.
        object_bytes: Size of the objects of `throughput`.
        throughput: With few objects at a time and with more.
    """

    url: str
    write_s: float
    read_s: float
    list_s: float
    delete_s: float
    object_bytes: int
    throughput: tuple[Throughput, ...]

    @property
    def best_write(self) -> float:
        """The best rate of writing."""
        return max(each.write for each in self.throughput)

    @property
    def best_read(self) -> float:
        """The best rate of reading."""
        return max(each.read for each in self.throughput)


def measure(place: locations.Location, clock: clocks.Clock, size_bytes: int, report: measuring.Report) -> Place:
    """Measure a location. Whatever ends it, its objects are deleted.

    Args:
        place: The location; what is there already is left alone.
        clock: The time.
        size_bytes: How much is written in all, and read again; less where it takes long.
        report: Called with the bytes that were moved, and how many there are to move.

    Raises:
        RunnerError: As the location.
    """
    measurement = _Measurement(place, clock, size_bytes, report)
    with _without_new_root(place):
        try:
            found = measurement.run()
        except BaseException:
            with contextlib.suppress(errors.RunnerError):  # what went wrong first is worth more
                measurement.clean_up()
            raise
        measurement.clean_up()
    return found


@contextlib.contextmanager
def _without_new_root(place: locations.Location) -> Iterator[None]:
    """Remove the directory of a location again that was not there before."""
    if not isinstance(place, directory.Directory) or place.root.exists():
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            for left in (*place.root.iterdir(), place.root):
                left.rmdir()


def _drop_from_memory(place: locations.Location, name: str) -> None:
    """Let the kernel forget an object of a directory: what was just written would be read much too quickly."""
    if isinstance(place, directory.Directory):
        descriptor = os.open(place.root / name, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


class _Measurement:
    def __init__(
        self, place: locations.Location, clock: clocks.Clock, size_bytes: int, report: measuring.Report
    ) -> None:
        self._place = place
        self._clock = clock
        # Names without a directory, so that no empty one is left where locations have such.
        self._prefix = f"{PREFIX}{ids.base32(ids.random_bytes(10), 16)}-"
        self._each = max(_SMALL, min(_OBJECT, size_bytes // len(PARALLEL)))
        self._count = max(1, size_bytes // len(PARALLEL) // self._each)
        self._report = report
        self._moved = 0
        self._total = 2 * self._each * sum(max(self._count, parallel) for parallel in PARALLEL)
        self._names: list[str] = []

    def run(self) -> Place:
        small = [self._name(f"small-{number}") for number in range(_ROUNDS)]
        write = self._median(small, lambda name: self._place.put(name, [bytes(_SMALL)]))
        read = self._median(small, self._place.get)
        listed = self._median(small, lambda name: list(self._place.list(self._prefix)))
        delete = self._median(small, self._place.delete)
        return Place(
            url=self._place.url,
            write_s=write,
            read_s=read,
            list_s=listed,
            delete_s=delete,
            object_bytes=self._each,
            throughput=tuple(self._parallel(number) for number in PARALLEL),
        )

    def clean_up(self) -> None:
        """Delete all objects that may be there; tell only of what a second look finds."""
        with futures.ThreadPoolExecutor(max(PARALLEL)) as pool:
            list(pool.map(self._delete, self._names))
        for info in list(self._place.list(self._prefix)):
            self._place.delete(info.name)
        self._place.sweep()

    def _delete(self, name: str) -> None:
        with contextlib.suppress(errors.RunnerError):
            self._place.delete(name)

    def _name(self, rest: str) -> str:
        self._names.append(self._prefix + rest)
        return self._names[-1]

    def _median(self, names: Sequence[str], call: Callable[[str], object]) -> float:
        taken = []
        for name in names:
            before = self._clock.monotonic()
            call(name)
            taken.append(self._clock.monotonic() - before)
        return statistics.median(taken)

    def _parallel(self, parallel: int) -> Throughput:
        names = [self._name(f"{parallel}-{number}") for number in range(max(self._count, parallel))]
        data = next(iter(measuring.sample(1)))
        block = [data] * (self._each // len(data)) + [data[: self._each % len(data)]]
        write, written = self._all(parallel, names, lambda name: self._place.put(name, block))

        for name in written:
            _drop_from_memory(self._place, name)

        def read_into(name: str) -> None:
            self._place.read_into(name, 0, memoryview(bytearray(self._each)))

        read, _ = self._all(parallel, written, read_into)
        for name in written:
            self._place.delete(name)
        return Throughput(parallel=parallel, write=write, read=read)

    def _all(self, parallel: int, names: Sequence[str], call: Callable[[str], object]) -> tuple[float, list[str]]:
        """Do something with objects, so many at a time; return the rate and the objects that it was done with."""
        begin = self._clock.monotonic()
        done: list[str] = []

        def one(name: str) -> None:
            if done and self._clock.monotonic() - begin > _PATIENCE_S:
                return
            call(name)
            done.append(name)
            self._moved += self._each
            self._report(min(self._moved, self._total), self._total)

        pool = futures.ThreadPoolExecutor(parallel, thread_name_prefix="benchmark")
        try:
            list(pool.map(one, names))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return measuring.rate(len(done) * self._each, self._clock.monotonic() - begin), done
