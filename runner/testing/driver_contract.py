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
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from runner.base import cancel as cancels
from runner.base import errors, ids
from runner.registry import driver as contract
from runner.testing import driver_bench

_KIB = 1 << 10
_MIB = 1 << 20
# Data, a hole, an odd end: 1 MiB and 1,001 bytes.
_IMAGE = b"begin" * 20_000 + bytes(_MIB - 200_000) + b"end" * 33_667
_METHODS = {
    contract.Capability.READ_BLOCKS: "open_snapshot",
    contract.Capability.CHANGED_BLOCKS: "changed_extents",
    contract.Capability.WRITE_BLOCKS: "create_volume",
}


def _patched(image: bytes, *patches: tuple[int, bytes]) -> bytes:
    data = bytearray(image)
    for offset, text in patches:
        data[offset : offset + len(text)] = text
    return bytes(data)


class DriverContract:
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
        bench.write(volume, _IMAGE)
        taken = bench.snapshot(volume, token="t1", run="r1")
        assert contract.driver_of(taken.id) == bench.driver.name
        assert (taken.volume, taken.size_bytes) == (volume, len(_IMAGE))
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
        bench.write(bench.name_of("v"), _IMAGE)
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
        bench.write(volume, _IMAGE)
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
        bench.write(volume, _IMAGE)
        token = cancels.CancelToken(bench.clock)
        token.cancel()
        with pytest.raises(errors.Cancelled):
            bench.driver.create_snapshot(volume, {}, token)
        assert bench.listed(volume) == []

    def test_concurrent_snapshots_are_separate(self, bench: driver_bench.Bench) -> None:
        """Several threads take snapshots of one volume at once, each its own."""
        volume = bench.name_of("v")
        bench.write(volume, _IMAGE)
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
        bench.write(volume, _IMAGE)
        taken = bench.snapshot(volume)
        with bench.opened(taken.id) as reader:
            bench.write(volume, _patched(_IMAGE, (10, b"later")))
            start = bytearray(20)
            reader.read_into(0, memoryview(start))
        assert bytes(start) == _IMAGE[:20]
        assert bench.content(taken.id) == _IMAGE

    def test_allocated_extents_hold_all_data(self, bench: driver_bench.Bench) -> None:
        """Reading the allocated extents alone gives the volume, for volumes of all shapes."""
        bench.needs(contract.Capability.READ_BLOCKS)
        shapes = (b"", b"x", bytes(10_000), bytes(_MIB) + b"x", b"x" + bytes(_MIB), _IMAGE)
        for number, image in enumerate(shapes):
            volume = bench.name_of(f"v{number}")
            bench.write(volume, image)
            assert bench.content(bench.snapshot(volume).id) == image

    def test_blocks_are_read_at_any_offset(self, bench: driver_bench.Bench) -> None:
        """Neither offset nor length needs to be aligned; holes read as zeros."""
        bench.needs(contract.Capability.READ_BLOCKS)
        volume = bench.name_of("v")
        bench.write(volume, _IMAGE)
        with bench.opened(bench.snapshot(volume).id) as reader:
            assert reader.size_bytes == len(_IMAGE)
            for offset, length in ((0, 1), (99_990, 20), (500_001, 4_097), (len(_IMAGE) - 7, 7), (0, len(_IMAGE))):
                target = bytearray(b"\xff" * length)
                reader.read_into(offset, memoryview(target))
                assert bytes(target) == _IMAGE[offset : offset + length]

    def test_several_threads_read_one_snapshot(self, bench: driver_bench.Bench) -> None:
        """Readers on one open snapshot do not disturb each other."""
        bench.needs(contract.Capability.READ_BLOCKS)
        volume = bench.name_of("v")
        image = b"".join(number.to_bytes(4, "big") for number in range(50_000))
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
        bench.write(volume, _IMAGE)
        taken = bench.snapshot(volume)
        with bench.opened(taken.id) as reader:
            try:
                bench.driver.delete_snapshot(taken.id)
            except contract.SnapshotInUse:
                assert bench.driver.get_snapshot(taken.id) == taken
            target = bytearray(len(_IMAGE))
            reader.read_into(0, memoryview(target))
        assert bytes(target) == _IMAGE

    # Changed blocks

    def test_changed_extents_cover_every_difference(self, bench: driver_bench.Bench) -> None:
        """Single bytes, at both ends, in holes, turned into zeros, and a volume that grew."""
        bench.needs(contract.Capability.CHANGED_BLOCKS)
        volume = bench.name_of("v")
        bench.write(volume, _IMAGE)
        base = bench.snapshot(volume)
        last = len(_IMAGE) - 1
        changes = (
            _IMAGE,
            _patched(_IMAGE, (0, b"B")),
            _patched(_IMAGE, (last, b"!")),
            _patched(_IMAGE, (500_000, b"in the hole"), (65_535, b"over")),
            _patched(_IMAGE, (0, bytes(100_000))),
            _IMAGE + b"more" * 1_000,
            _IMAGE + bytes(70_000) + b"far",
        )
        for image in changes:
            bench.write(volume, image)
            taken = bench.snapshot(volume)
            self._check_changed(bench, base.id, taken.id, _IMAGE, image)

    def _check_changed(
        self, bench: driver_bench.Bench, base: ids.SnapshotId, taken: ids.SnapshotId, old: bytes, new: bytes
    ) -> None:
        extents = bench.changed(base, taken)
        assert extents is not None
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
        bench.write(volume, _IMAGE)
        assert bench.changed(bench.snapshot(volume).id, bench.snapshot(volume).id) == []

    def test_what_cannot_be_compared_is_none(self, bench: driver_bench.Bench) -> None:
        """A base that is gone, another volume, and a volume that shrank."""
        bench.needs(contract.Capability.CHANGED_BLOCKS)
        one, two = bench.name_of("one"), bench.name_of("two")
        bench.write(one, _IMAGE)
        bench.write(two, _IMAGE)
        gone, foreign, base = bench.snapshot(one).id, bench.snapshot(two).id, bench.snapshot(one).id
        bench.driver.delete_snapshot(gone)
        same = bench.snapshot(one).id
        bench.write(one, _IMAGE[:-1])
        shrunk = bench.snapshot(one).id
        assert bench.changed(gone, same) is None
        assert bench.changed(foreign, same) is None
        assert bench.changed(base, shrunk) is None
        assert bench.changed(base, same) is not None

    # Writing blocks

    def _create(self, bench: driver_bench.Bench, *args: Any, **kwargs: Any) -> AbstractContextManager[Any]:
        bench.needs(contract.Capability.WRITE_BLOCKS)
        return cast(contract.WriteBlocks, bench.driver).create_volume(*args, **kwargs)

    def test_written_volume_holds_what_was_written(self, bench: driver_bench.Bench) -> None:
        """From several threads, in any order, unaligned; what is not written is zero."""
        volume = bench.name_of("restored")
        pieces = [(offset, _IMAGE[offset : offset + 30_001]) for offset in range(0, 150_000, 30_001)]
        with self._create(bench, volume, len(_IMAGE), overwrite=False) as writer:
            threads = [threading.Thread(target=writer.write, args=piece) for piece in reversed(pieces)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            writer.commit()
        assert bench.read(volume) == _IMAGE[: 5 * 30_001].ljust(len(_IMAGE), b"\0")

    def test_volume_appears_only_at_the_commit(self, bench: driver_bench.Bench) -> None:
        """Before, there is none; and without a commit there never is one."""
        volume = bench.name_of("restored")
        with self._create(bench, volume, _MIB, overwrite=False) as writer:
            writer.write(0, b"data")
            with pytest.raises(contract.VolumeMissing):
                bench.snapshot(volume)
        with pytest.raises(contract.VolumeMissing):
            bench.snapshot(volume)

    def test_existing_volume_is_not_written_over(self, bench: driver_bench.Bench) -> None:
        """Without `overwrite` it stays as it is, and the caller learns why."""
        volume = bench.name_of("v")
        bench.write(volume, b"precious")
        with pytest.raises(errors.EnvironmentProblem) as caught, self._create(bench, volume, 8, overwrite=False):
            pytest.fail("a volume that exists has been opened for writing")
        assert caught.value.code == "RT310"
        assert bench.read(volume) == b"precious"

    def test_volume_that_appears_meanwhile_is_not_written_over(self, bench: driver_bench.Bench) -> None:
        """The commit looks again."""
        volume = bench.name_of("v")
        with self._create(bench, volume, 8, overwrite=False) as writer:
            bench.write(volume, b"precious")
            with pytest.raises(errors.EnvironmentProblem) as caught:
                writer.commit()
        assert caught.value.code == "RT310"
        assert bench.read(volume) == b"precious"

    def test_overwriting_replaces_at_the_commit(self, bench: driver_bench.Bench) -> None:
        """The old content stays until the commit and is gone after it, whatever the sizes."""
        volume = bench.name_of("v")
        bench.write(volume, b"old" * 1_000)
        with self._create(bench, volume, 8, overwrite=True) as writer:
            writer.write(0, b"new")
        assert bench.read(volume) == b"old" * 1_000
        with self._create(bench, volume, 8, overwrite=True) as writer:
            writer.write(0, b"new")
            writer.commit()
        assert bench.read(volume) == b"new\0\0\0\0\0"

    def test_volume_is_found_by_its_token(self, bench: driver_bench.Bench) -> None:
        """From the commit on, until another volume takes the name."""
        volume = bench.name_of("restored")
        for token in ("t1", "t2"):
            with self._create(bench, volume, 8, overwrite=True, token=token) as writer:
                assert not self._made_with(bench, volume, token)
                writer.commit()
            assert self._made_with(bench, volume, token)
        assert not self._made_with(bench, volume, "t1")
        with self._create(bench, volume, 8, overwrite=True) as writer:
            writer.commit()
        assert not self._made_with(bench, volume, "t2")
        assert not self._made_with(bench, volume, "")
        assert not self._made_with(bench, bench.name_of("missing"), "t2")

    def _made_with(self, bench: driver_bench.Bench, volume: str, token: str) -> bool:
        return cast(contract.WriteBlocks, bench.driver).made_with(volume, token)

    def test_write_over_the_end_is_refused(self, bench: driver_bench.Bench) -> None:
        """A volume does not grow by a wrong offset."""
        with self._create(bench, bench.name_of("v"), 8, overwrite=False) as writer:
            for offset, data in ((8, b"x"), (4, b"12345"), (-1, b"x")):
                with pytest.raises(ValueError, match="end"):
                    writer.write(offset, data)
            writer.commit()
        assert bench.read(bench.name_of("v")) == bytes(8)

    def test_restored_volume_can_be_snapshotted(self, bench: driver_bench.Bench) -> None:
        """A written volume is a volume like any other."""
        volume = bench.name_of("restored")
        with self._create(bench, volume, _KIB, overwrite=False) as writer:
            writer.write(100, b"data")
            writer.commit()
        if contract.Capability.READ_BLOCKS in bench.claims:
            assert bench.content(bench.snapshot(volume).id) == _patched(bytes(_KIB), (100, b"data"))
        assert bench.snapshot(volume).size_bytes == _KIB
