"""The contract suite of storage drivers: inherit `DriverContract`, define a fixture `bench`, and pytest runs it all.

```python
class TestMine(DriverContract):
    @pytest.fixture
    def bench(self, tmp_path):
        return Bench(driver=MyDriver(), name_of=lambda name: str(tmp_path / name), …)
```
"""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from runner.base import cancel as cancels
from runner.base import errors, ids
from runner.registry import driver as contract
from runner.testing import driver_bench, driver_writing_contract

_KIB = 1 << 10
_MIB = 1 << 20
_METHODS = {
    contract.Capability.READ_BLOCKS: "open_snapshot",
    contract.Capability.CHANGED_BLOCKS: "changed_extents",
    contract.Capability.RELEASE_BLOCKS: "release_blocks",
    contract.Capability.WRITE_BLOCKS: "create_volume",
}


class DriverContract(driver_writing_contract.WritingContract):
    """What every driver must do; tests of a capability run where the driver claims it."""

    __test__ = False

    def __init_subclass__(cls) -> None:
        cls.__test__ = cls.__dict__.get("__test__", True)

    @pytest.fixture
    def bench(self, tmp_path: Path) -> driver_bench.Bench:
        """Return a fresh driver and its volumes."""
        raise NotImplementedError("define a fixture `bench` that returns a Bench with a fresh driver")

    # What every driver does

    def test_claims_are_what_is_implemented(self, bench: driver_bench.Bench) -> None:
        """Capabilities follow from methods, and no method is there only to say that it is not."""
        assert contract.capabilities(bench.driver) == bench.claims
        for capability, method in _METHODS.items():
            assert hasattr(bench.driver, method) == (capability in bench.claims)

    def test_snapshot_describes_itself(self, bench: driver_bench.Bench) -> None:
        """The id says which driver holds it; volume, size and tags are those of its creation."""
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        taken = bench.snapshot(volume, token="t1", run="r1")
        assert contract.driver_of(taken.id) == bench.driver.name
        assert (taken.volume, taken.size_bytes) == (volume, len(bench.image))
        assert dict(taken.tags) == {"token": "t1", "run": "r1"}
        assert taken.created.utcoffset() == timedelta(0)
        assert bench.driver.get_snapshot(taken.id) == taken

    def test_snapshot_of_missing_volume_is_refused(self, bench: driver_bench.Bench) -> None:
        """A missing volume is reported as such, and nothing is made."""
        missing = bench.name_of("missing")
        with pytest.raises(contract.VolumeMissing):
            bench.snapshot(missing)
        assert bench.listed(missing) == []

    def test_missing_snapshot_is_reported_as_missing(self, bench: driver_bench.Bench) -> None:
        """Whether it was deleted, never existed or belongs to another driver."""
        bench.write(bench.name_of("v"), bench.image)
        gone = bench.snapshot(bench.name_of("v")).id
        bench.driver.delete_snapshot(gone)
        for missing in (gone, ids.SnapshotId(f"{bench.driver.name}:never"), ids.SnapshotId("other:1")):
            with pytest.raises(contract.SnapshotMissing):
                bench.driver.get_snapshot(missing)

    def test_listing_finds_by_volume_and_tags(self, bench: driver_bench.Bench) -> None:
        """All tags asked for must be there; others may be; no tags means all; oldest first."""
        one, two = bench.name_of("one"), bench.name_of("two")
        bench.write(one, b"1" * _KIB)
        bench.write(two, b"2" * _KIB)
        first = bench.snapshot(one, token="a", run="r")
        bench.wait(timedelta(milliseconds=1))
        second = bench.snapshot(one, token="b", run="r")
        other = bench.snapshot(two, token="a", run="r")
        assert bench.listed(one) == [first, second]
        assert bench.listed(one, run="r") == [first, second]
        assert bench.listed(one, run="r", token="b") == [second]
        assert bench.listed(two, token="a") == [other]
        assert bench.listed(one, token="c") == []
        assert bench.listed(one, unknown="a") == []
        assert bench.listed(bench.name_of("three")) == []

    def test_delete_removes_and_may_be_repeated(self, bench: driver_bench.Bench) -> None:
        """Deleting what is not there succeeds; other snapshots stay."""
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        kept, gone = bench.snapshot(volume), bench.snapshot(volume)
        bench.driver.delete_snapshot(gone.id)
        bench.driver.delete_snapshot(gone.id)
        bench.driver.delete_snapshot(ids.SnapshotId(f"{bench.driver.name}:never"))
        assert bench.listed(volume) == [kept]

    def test_snapshots_are_deleted_in_any_order(self, bench: driver_bench.Bench) -> None:
        """No snapshot depends on an older one."""
        volume = bench.name_of("v")
        taken = []
        for text in (b"a", b"b", b"c"):
            bench.write(volume, text * _KIB)
            taken.append(bench.snapshot(volume))
        for number in (1, 0, 2):
            bench.driver.delete_snapshot(taken[number].id)
        assert bench.listed(volume) == []

    def test_cancelled_creation_makes_nothing(self, bench: driver_bench.Bench) -> None:
        """A cancelled token stops the call before it has an effect."""
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        token = cancels.CancelToken(bench.clock)
        token.cancel()
        with pytest.raises(errors.Cancelled):
            bench.driver.create_snapshot(volume, {}, token)
        assert bench.listed(volume) == []

    def test_concurrent_snapshots_are_separate(self, bench: driver_bench.Bench) -> None:
        """Several threads take snapshots of one volume at once, each its own."""
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        threads = [threading.Thread(target=bench.snapshot, args=(volume,), kwargs={"n": str(n)}) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(one.tags["n"] for one in bench.listed(volume)) == ["0", "1", "2", "3"]

    # Reading blocks

    def test_snapshot_keeps_the_moment(self, bench: driver_bench.Bench) -> None:
        """What is written later is not in it, also not for who has it open."""
        bench.needs(contract.Capability.READ_BLOCKS)
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        taken = bench.snapshot(volume)
        with bench.opened(taken.id) as reader:
            bench.write(volume, driver_bench.patched(bench.image, (10, b"later")))
            start = bytearray(20)
            reader.read_into(0, memoryview(start))
        assert bytes(start) == bench.image[:20]
        assert bench.content(taken.id) == bench.image

    def test_allocated_extents_hold_all_data(self, bench: driver_bench.Bench) -> None:
        """Reading the allocated extents alone gives the volume, for volumes of all shapes."""
        bench.needs(contract.Capability.READ_BLOCKS)
        shapes = (b"", b"x", bytes(10_000), bytes(_MIB) + b"x", b"x" + bytes(_MIB), bench.image)
        for number, image in enumerate(map(bench.padded, shapes)):
            volume = bench.name_of(f"v{number}")
            bench.write(volume, image)
            assert bench.content(bench.snapshot(volume).id) == image

    def test_blocks_are_read_at_any_offset(self, bench: driver_bench.Bench) -> None:
        """Neither offset nor length needs to be aligned; holes read as zeros."""
        bench.needs(contract.Capability.READ_BLOCKS)
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        with bench.opened(bench.snapshot(volume).id) as reader:
            assert reader.size_bytes == len(bench.image)
            size = reader.size_bytes
            for offset, length in ((0, 1), (99_990, 20), (500_001, 4_097), (size - 7, 7), (0, size)):
                target = bytearray(b"\xff" * length)
                reader.read_into(offset, memoryview(target))
                assert bytes(target) == bench.image[offset : offset + length]

    def test_several_threads_read_one_snapshot(self, bench: driver_bench.Bench) -> None:
        """Readers on one open snapshot do not disturb each other."""
        bench.needs(contract.Capability.READ_BLOCKS)
        volume = bench.name_of("v")
        image = bench.padded(b"".join(number.to_bytes(4, "big") for number in range(50_000)))
        bench.write(volume, image)
        wrong: list[int] = []
        with bench.opened(bench.snapshot(volume).id) as reader:

            def read(start: int) -> None:
                for offset in range(start, len(image) - 400, 4_001):
                    target = bytearray(400)
                    reader.read_into(offset, memoryview(target))
                    if bytes(target) != image[offset : offset + 400]:
                        wrong.append(offset)

            threads = [threading.Thread(target=read, args=(start,)) for start in (0, 1_000, 2_000, 3_000)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert wrong == []

    def test_missing_snapshot_is_not_opened(self, bench: driver_bench.Bench) -> None:
        """Opening what was deleted says so."""
        bench.needs(contract.Capability.READ_BLOCKS)
        with pytest.raises(contract.SnapshotMissing), bench.opened(ids.SnapshotId(f"{bench.driver.name}:never")):
            pytest.fail("a snapshot that never was has been opened")

    def test_delete_while_reading_is_refused_or_harmless(self, bench: driver_bench.Bench) -> None:
        """Whoever reads a snapshot gets its data to the end."""
        bench.needs(contract.Capability.READ_BLOCKS)
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        taken = bench.snapshot(volume)
        with bench.opened(taken.id) as reader:
            try:
                bench.driver.delete_snapshot(taken.id)
            except contract.SnapshotInUse:
                assert bench.driver.get_snapshot(taken.id) == taken
            target = bytearray(len(bench.image))
            reader.read_into(0, memoryview(target))
        assert bytes(target) == bench.image

    # Changed blocks

    def test_changed_extents_cover_every_difference(self, bench: driver_bench.Bench) -> None:
        """Single bytes, at both ends, in holes, and turned into zeros."""
        bench.needs(contract.Capability.CHANGED_BLOCKS)
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        base = bench.snapshot(volume)
        last = len(bench.image) - 1
        changes = (
            bench.image,
            driver_bench.patched(bench.image, (0, b"B")),
            driver_bench.patched(bench.image, (last, b"!")),
            driver_bench.patched(bench.image, (500_000, b"in the hole"), (65_535, b"over")),
            driver_bench.patched(bench.image, (0, bytes(100_000))),
        )
        for image in changes:
            bench.write(volume, image)
            taken = bench.snapshot(volume)
            self._check_changed(bench, base.id, taken.id, bench.image, image)

    def test_growth_is_among_the_changes(self, bench: driver_bench.Bench) -> None:
        """By data, by a hole and data, by nothing but a hole; the blocks of the base are released where they can be."""
        bench.needs(contract.Capability.CHANGED_BLOCKS)
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        base = bench.snapshot(volume)
        if isinstance(bench.driver, contract.ReleaseBlocks):
            bench.driver.release_blocks(base.id)
        for more in (b"more" * 1_000, bytes(70_000) + b"far", bytes(200_000)):
            image = bench.padded(bench.image + more)
            bench.write(volume, image)
            self._check_changed(bench, base.id, bench.snapshot(volume).id, bench.image, image)

    def _check_changed(
        self, bench: driver_bench.Bench, base: ids.SnapshotId, taken: ids.SnapshotId, old: bytes, new: bytes
    ) -> None:
        extents = bench.changed(base, taken)
        assert not isinstance(extents, contract.Incomparable)
        rebuilt = bytearray(old.ljust(len(new), b"\0"))
        for extent in driver_bench.checked(iter(extents), len(new)):
            part = new[extent.offset : extent.end]
            assert not extent.zero or part.count(0) == len(part), "an extent called zero holds data"
            rebuilt[extent.offset : extent.end] = part
        assert bytes(rebuilt) == new

    def test_equal_snapshots_differ_in_nothing(self, bench: driver_bench.Bench) -> None:
        """Nothing was written, so little is to be read; a driver may be coarse, but not useless."""
        bench.needs(contract.Capability.CHANGED_BLOCKS)
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        assert bench.changed(bench.snapshot(volume).id, bench.snapshot(volume).id) == []

    def test_what_cannot_be_compared_says_why(self, bench: driver_bench.Bench) -> None:
        """A base that is gone, another volume, and a volume that shrank."""
        bench.needs(contract.Capability.CHANGED_BLOCKS)
        one, two = bench.name_of("one"), bench.name_of("two")
        bench.write(one, bench.image)
        bench.write(two, bench.image)
        gone, foreign, base = bench.snapshot(one).id, bench.snapshot(two).id, bench.snapshot(one).id
        bench.driver.delete_snapshot(gone)
        same = bench.snapshot(one).id
        assert not isinstance(bench.changed(base, same), contract.Incomparable)
        found = [bench.changed(gone, same), bench.changed(foreign, same)]
        bench.write(one, bench.image[: -bench.grain])
        found.append(bench.changed(base, bench.snapshot(one).id))
        for refused in found:
            assert isinstance(refused, contract.Incomparable)
            assert refused.reason

    # Releasing blocks

    def _release(self, bench: driver_bench.Bench, snapshot: ids.SnapshotId) -> None:
        bench.needs(contract.Capability.RELEASE_BLOCKS)
        cast(contract.ReleaseBlocks, bench.driver).release_blocks(snapshot)

    def test_released_snapshot_is_still_compared_with(self, bench: driver_bench.Bench) -> None:
        """It stays what it was for everything but reading; releasing may be repeated."""
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        base = bench.snapshot(volume, token="t")
        self._release(bench, base.id)
        self._release(bench, base.id)
        assert [one.id for one in bench.listed(volume, token="t")] == [base.id]
        changed = driver_bench.patched(bench.image, (70_000, b"later"))
        bench.write(volume, changed)
        self._check_changed(bench, base.id, bench.snapshot(volume).id, bench.image, changed)

    def test_released_snapshot_is_deleted_as_any_other(self, bench: driver_bench.Bench) -> None:
        """Nothing is left of it, and nothing is compared with it any more."""
        volume = bench.name_of("v")
        bench.write(volume, bench.image)
        base, kept = bench.snapshot(volume), bench.snapshot(volume)
        self._release(bench, base.id)
        bench.driver.delete_snapshot(base.id)
        assert bench.listed(volume) == [kept]
        assert isinstance(bench.changed(base.id, kept.id), contract.Incomparable)

    def test_missing_snapshot_cannot_be_released(self, bench: driver_bench.Bench) -> None:
        """Releasing what was deleted says so."""
        bench.write(bench.name_of("v"), bench.image)
        gone = bench.snapshot(bench.name_of("v")).id
        bench.driver.delete_snapshot(gone)
        with pytest.raises(contract.SnapshotMissing):
            self._release(bench, gone)
