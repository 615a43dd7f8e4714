"""Measure what a machine can do: its files, single steps of the data path, and the data path as a whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import errors, ids
from runner.locations import memory
from runner.repository import access, keyslots, reader, steps

CHUNK = 64 * 1024
_BLOCK = 4 << 20
# The data path is measured with this much at most: what it stores lies in memory.
_MOST_PIPELINE = 128 << 20
# A single step is measured with this much: it is as fast with more.
_STEP = 64 << 20
_STEPS = 9
_CHEAP = keyslots.KdfCost(memory_kib=8, iterations=1, lanes=1)
_WORDS = b"the quick brown fox jumps over a lazy dog while 0123456789 rows wait in the table of orders "

Report = Callable[[int, int | None], None]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Rates in bytes a second; of content, before compression.

    Attributes:
        read_file: Of a file in `directory` that the kernel does not hold in memory.
        write_file: Of a file in `directory`, durably.
        hash: Chunk ids, in one thread; as are the next two.
        workers: How many threads move data by default.
        export_one: The data path of an export into memory, with one worker.
        restore: The data path of a restore from memory into nothing, with all workers.
        ratio: What the sample shrinks to when it is compressed.
    """

    directory: str
    read_file: float
    write_file: float
    hash: float
    compress: float
    encrypt: float
    workers: int
    export_one: float
    export: float
    restore: float
    ratio: float


def rate(count: int, seconds: float) -> float:
    """Return bytes a second, finite also on a clock that stands still."""
    return count / max(seconds, 1e-9)


def sample(count: int) -> Iterator[bytes]:
    """Yield so many chunks that all differ: half of each is random, half is text."""
    text = (_WORDS * (CHUNK // 2 // len(_WORDS) + 1))[: CHUNK // 2]
    for _ in range(count):
        yield ids.random_bytes(CHUNK // 2) + text


def measure(clock: clocks.Clock, directory: Path, size_bytes: int, report: Report) -> Machine:
    """Measure the machine.

    Args:
        clock: The time.
        directory: Where a file of `size_bytes` is written, read and removed.
        size_bytes: How much is written to the file; the data path gets no more than it and 128 MiB.
        report: Called with how many of the steps are done, and how many there are.

    Raises:
        EnvironmentProblem: RT311 or RT312 if the file cannot be written.
    """
    return _Measurement(clock, directory, size_bytes, report).run()


class _Measurement:
    def __init__(self, clock: clocks.Clock, directory: Path, size_bytes: int, report: Report) -> None:
        self._clock = clock
        self._directory = directory
        self._size = size_bytes
        self._report = report
        self._done = 0

    def run(self) -> Machine:
        chunks = list(sample(max(1, min(self._size, _MOST_PIPELINE) // CHUNK)))
        workers = reader.default_workers()
        write_file, read_file = self._files(chunks)
        step = chunks[: _STEP // CHUNK]
        hashed = self._step(step, steps.hasher())
        compressed, ratio = self._compress(step)
        encrypted = self._step(step, steps.sealer(CHUNK))
        export_one, _ = self._pipeline(chunks, 1)
        export, restore = self._pipeline(chunks, workers)
        return Machine(
            directory=str(self._directory),
            read_file=read_file,
            write_file=write_file,
            hash=hashed,
            compress=compressed,
            encrypt=encrypted,
            workers=workers,
            export_one=export_one,
            export=export,
            restore=restore,
            ratio=ratio,
        )

    def _ended(self) -> None:
        self._done += 1
        self._report(self._done, _STEPS)

    def _timed(self, count: int, work: Callable[[], object]) -> float:
        before = self._clock.monotonic()
        work()
        seconds = self._clock.monotonic() - before
        self._ended()
        return rate(count, seconds)

    def _files(self, chunks: Sequence[bytes]) -> tuple[float, float]:
        """Return the rates of writing and reading a file."""
        with _problems(self._directory), tempfile.TemporaryFile(dir=self._directory, buffering=0) as file:
            descriptor = file.fileno()
            count = max(1, self._size // CHUNK)

            def write() -> None:
                for number in range(count):
                    os.pwrite(descriptor, chunks[number % len(chunks)], number * CHUNK)
                os.fsync(descriptor)

            written = self._timed(count * CHUNK, write)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            block = bytearray(_BLOCK)

            def read() -> None:
                offset = 0
                while length := os.preadv(descriptor, [block], offset):
                    offset += length

            return written, self._timed(count * CHUNK, read)

    def _step(self, chunks: Sequence[bytes], work: Callable[[bytes], object]) -> float:
        def run() -> None:
            for chunk in chunks:
                work(chunk)

        return self._timed(len(chunks) * CHUNK, run)

    def _compress(self, chunks: Sequence[bytes]) -> tuple[float, float]:
        compress = steps.compressor()
        sizes: list[int] = []
        found = self._step(chunks, lambda chunk: sizes.append(compress(chunk)))
        return found, sum(sizes) / (len(chunks) * CHUNK)

    def _pipeline(self, chunks: Sequence[bytes], workers: int) -> tuple[float, float]:
        """Return the rates of an export into memory and of the restore of it."""
        repo = access.create(memory.Memory(), "benchmark", clock=self._clock, kdf=_CHEAP, workers=workers)
        stored: list[bytes] = []

        def export() -> None:
            with repo.writer(token="benchmark", cancel=cancels.CancelToken()) as writer:
                stored.extend(writer.add_all(chunks))
                writer.finish({"kind": "stream", "source": "benchmark", "roots": []})

        def restore() -> None:
            batches = ([(0, chunk) for chunk in stored[start : start + 32]] for start in range(0, len(stored), 32))
            repo.reader().scatter(batches, lambda *_: None, cancels.CancelToken())

        return self._timed(len(chunks) * CHUNK, export), self._timed(len(chunks) * CHUNK, restore)


@contextlib.contextmanager
def _problems(directory: Path) -> Iterator[None]:
    from runner.base import files

    try:
        yield
    except OSError as error:
        raise files.problem_of(error, directory) or errors.EnvironmentProblem(
            f"{directory} cannot be written: {error.strerror}",
            code="RT311",
            hint="name another directory with --directory",
        ) from error
