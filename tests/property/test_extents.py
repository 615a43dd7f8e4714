from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import IO, TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.storage.file import comparing
from runner.testing import driver_bench
from tests import effort

Write: TypeAlias = tuple[int, int, int]

SIZE = 3 << 20
WRITES = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(1, 200_000), st.integers(0, 255)), max_size=8)


@contextlib.contextmanager
def image_of(writes: list[Write], size: int) -> Iterator[IO[bytes]]:
    """Write a sparse file by these writes; offsets and lengths are of no alignment."""
    with tempfile.TemporaryFile() as file:
        for offset, length, value in writes:
            os.pwrite(file.fileno(), bytes([value]) * max(0, min(length, size - offset)), offset)
        os.truncate(file.fileno(), size)
        yield file


def content(file: IO[bytes]) -> bytes:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


@settings(max_examples=effort.examples(40), deadline=None)
@given(WRITES, st.integers(0, SIZE))
def test_extents_hold_all_data(writes: list[Write], size: int) -> None:
    with image_of(writes, size) as file:
        data = content(file)
        rebuilt = bytearray(size)
        for extent in driver_bench.checked(comparing.data_of(file.fileno(), size), size):
            rebuilt[extent.offset : extent.end] = data[extent.offset : extent.end]
        assert rebuilt == data


@settings(max_examples=effort.examples(40), deadline=None)
@given(WRITES, WRITES, st.integers(0, 8), st.integers(0, SIZE), st.integers(0, SIZE))
@example([(0, SIZE, 1)], [], 1, SIZE // 2 + 1, SIZE)
@example([(0, 200_000, 1)], [(8192, 4096, 2)], 0, SIZE, SIZE)
def test_differences_lead_from_the_older_image_to_the_newer(
    old_writes: list[Write], more: list[Write], kept: int, one: int, two: int
) -> None:
    old_size, new_size = sorted((one, two))
    with image_of(old_writes, old_size) as old, image_of(old_writes[:kept] + more, new_size) as new:
        rebuilt = bytearray(content(old).ljust(new_size, b"\0"))
        data = content(new)
        found = comparing.differences(old.fileno(), old_size, new.fileno(), new_size)
        for extent in driver_bench.checked(found, new_size):
            rebuilt[extent.offset : extent.end] = data[extent.offset : extent.end]
        assert rebuilt == data
