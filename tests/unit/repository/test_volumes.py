"""What an export of a volume reads and stores, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner.base import cancel, errors, ids
from runner.registry import driver
from runner.registry.driver import Extent
from runner.repository import failures, regions, volumes
from tests.property.test_volumes import BLOCK, MIB, UNKNOWN, Image, export, restored, same
from tests.unit.repository.making import make, noise, put

CHUNK = 65_536


def image() -> Image:
    """Return a volume of 100 MiB with 40 chunks of data."""
    return Image(100 * MIB, {16 * number: noise(str(number), BLOCK) for number in range(0, 1600, 40)})


def test_full_export_reads_what_is_allocated_only() -> None:
    disk = image()
    done = export(make(), disk, "a")
    assert disk.bytes_read == done.bytes_read == 40 * CHUNK
    assert done.bytes_new == 40 * CHUNK
    assert 40 * BLOCK < done.bytes_stored < 41 * BLOCK + 13 * 4096
    assert (done.method, done.reason) == ("full", "there is no earlier export")


def test_export_with_changed_extents_reads_and_stores_what_changed_only() -> None:
    repo, disk = make(), image()
    base = export(repo, disk, "a").export
    disk.blocks[5000] = noise("new", BLOCK)
    disk.bytes_read = 0
    done = export(repo, disk, "b", base, iter([Extent(offset=5000 * BLOCK + 10, length=20)]))
    assert disk.bytes_read == done.bytes_read == done.bytes_new == CHUNK
    assert done.bytes_stored < BLOCK + 2 * 4500
    assert done.method == "changed"
    assert same(restored(repo, done.export), disk)


def test_second_export_without_changes_stores_nothing() -> None:
    repo, disk = make(), image()
    base = export(repo, disk, "a").export
    for done in (
        export(repo, disk, "b", base, iter(())),
        export(repo, disk, "c", base),
        export(repo, disk, "d"),
    ):
        assert (done.bytes_new, done.bytes_stored) == (0, 0)
        assert same(restored(repo, done.export), disk)


def test_zero_extent_is_not_read() -> None:
    repo, disk = make(), image()
    base = export(repo, disk, "a").export
    disk.blocks = {number: block for number, block in disk.blocks.items() if number * BLOCK >= 50 * MIB}
    disk.bytes_read = 0
    done = export(repo, disk, "b", base, iter([Extent(offset=0, length=50 * MIB, zero=True)]))
    assert disk.bytes_read == 0
    assert same(restored(repo, done.export), disk)


def test_zeros_that_were_allocated_are_not_stored() -> None:
    repo = make()
    disk = Image(10 * MIB, {0: noise("a", BLOCK)})
    disk.allocated = lambda: iter([Extent(offset=0, length=10 * MIB)])  # type: ignore[method-assign]
    done = export(repo, disk, "a")
    assert (done.bytes_read, done.bytes_new) == (10 * MIB, CHUNK)


def test_export_whose_base_is_gone_reads_everything_and_says_so() -> None:
    repo, disk = make(), image()
    done = export(repo, disk, "b", ids.ExportId("0" * 26), iter([Extent(offset=0, length=1)]))
    assert done.method == "full"
    assert done.reason == "the earlier export 00000000000000000000000000 is gone"
    assert same(restored(repo, done.export), disk)


def test_export_survives_its_base() -> None:
    repo, disk = make(), image()
    base = export(repo, disk, "a").export
    done = export(repo, disk, "b", base, iter(()))
    repo.delete_export(base)
    assert same(restored(repo, done.export), disk)


@pytest.mark.parametrize("extents", [[(10, 10), (5, 5)], [(0, 100_000), (50_000, 100)]])
def test_extents_that_overlap_or_go_backwards_are_refused(extents: list[tuple[int, int]]) -> None:
    with pytest.raises(driver.StorageError, match="overlap"):
        list(regions.regions((Extent(offset=offset, length=length) for offset, length in extents), MIB))


def test_extents_beyond_the_end_are_cut() -> None:
    found = list(regions.regions([Extent(offset=CHUNK, length=10 * MIB), Extent(offset=20 * MIB, length=1)], 3 * CHUNK))
    assert found == [(1, 3, False)]


def test_export_of_another_kind_is_not_restored_as_a_volume() -> None:
    repo = make()
    with pytest.raises(failures.ExportMissing, match="stream"):
        volumes.size_of(repo, put(repo, "a", b"data"))


class Failing(Image):
    """A volume that cannot be read at one place."""

    def read_into(self, offset: int, target: memoryview) -> None:
        if offset <= 50 * MIB < offset + len(target):
            raise driver.StorageUnavailable("the connection was lost")
        super().read_into(offset, target)

    def allocated(self) -> Iterator[Extent]:
        yield Extent(offset=0, length=self.size_bytes)


def test_failed_read_fails_the_export_and_nothing_of_it_can_be_found() -> None:
    repo = make()
    with pytest.raises(driver.StorageUnavailable):
        export(repo, Failing(100 * MIB), "a")
    assert repo.find_export("a") is None
    assert list(repo.location.list("locks/")) == []


def test_failed_write_fails_the_restore_before_it_is_committed() -> None:
    repo, disk = make(), image()
    made = export(repo, disk, "a").export

    class Full(Image):
        committed = False

        def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
            raise errors.EnvironmentProblem("the disk is full", code="RT312")

        def commit(self) -> None:
            self.committed = True

    target = Full(disk.size_bytes)
    with pytest.raises(errors.EnvironmentProblem):
        volumes.restore_volume(repo, made, target, cancel=cancel.CancelToken(), progress=lambda *_: None)
    assert not target.committed


def test_restore_writes_at_once_what_lies_side_by_side() -> None:
    class Noting(Image):
        def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
            writes.append((offset // CHUNK, len(data)))
            super().write(offset, data)

    writes: list[tuple[int, int]] = []
    repo, disk = make(), Image(100 * CHUNK + BLOCK)
    for chunk in [*range(20), *range(30, 33), 99, 100]:
        # Every third is stored as it is, because it cannot be compressed.
        content = noise(str(chunk), CHUNK) if chunk % 3 else f"{chunk:16}".encode() * BLOCK
        for place in range(0, min(CHUNK, disk.size_bytes - chunk * CHUNK), BLOCK):
            disk.blocks[(chunk * CHUNK + place) // BLOCK] = content[place : place + BLOCK]
    made = export(repo, disk, "a").export
    target = Noting(disk.size_bytes)
    volumes.restore_volume(repo, made, target, cancel=cancel.CancelToken(), progress=lambda *_: None)
    assert same(target, disk)
    assert sorted(writes) == [(0, 16 * CHUNK), (16, 4 * CHUNK), (30, 3 * CHUNK), (99, CHUNK + BLOCK)]


def test_cancelled_restore_stops() -> None:
    repo, disk = make(), image()
    made = export(repo, disk, "a").export
    token = cancel.CancelToken()
    token.cancel()
    with pytest.raises(errors.Cancelled):
        volumes.restore_volume(repo, made, Image(disk.size_bytes), cancel=token, progress=lambda *_: None)


def test_progress_of_an_export_ends_at_the_size_of_the_volume() -> None:
    seen: list[tuple[int, int | None]] = []
    disk = image()
    volumes.export_volume(
        make(),
        disk,
        source="disk",
        token="a",
        base=None,
        changed=UNKNOWN,
        cancel=cancel.CancelToken(),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == sorted(seen)
    assert seen[-1] == (disk.size_bytes, disk.size_bytes)
