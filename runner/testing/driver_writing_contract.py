"""The part of the contract suite of drivers that is about making new volumes; `DriverContract` inherits it."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Any, cast

import pytest

from runner.base import errors
from runner.registry import driver as contract
from runner.testing import driver_bench

_KIB = 1 << 10
_MIB = 1 << 20


class WritingContract:
    """What drivers must do that can make a volume from data."""

    __test__ = False

    def _create(self, bench: driver_bench.Bench, *args: Any, **kwargs: Any) -> AbstractContextManager[Any]:
        bench.needs(contract.Capability.WRITE_BLOCKS)
        return cast(contract.WriteBlocks, bench.driver).create_volume(*args, **kwargs)

    def test_written_volume_holds_what_was_written(self, bench: driver_bench.Bench) -> None:
        """From several threads, in any order, unaligned; what is not written is zero."""
        volume = bench.name_of("restored")
        image = bench.padded(driver_bench.IMAGE)
        pieces = [(offset, image[offset : offset + 30_001]) for offset in range(0, 150_000, 30_001)]
        with self._create(bench, volume, len(image), overwrite=False) as writer:
            threads = [threading.Thread(target=writer.write, args=piece) for piece in reversed(pieces)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            writer.commit()
        assert bench.read(volume) == image[: 5 * 30_001].ljust(len(image), b"\0")

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
        precious = bench.padded(b"precious")
        bench.write(volume, precious)
        with pytest.raises(errors.EnvironmentProblem) as caught, self._create(bench, volume, _KIB, overwrite=False):
            pytest.fail("a volume that exists has been opened for writing")
        assert caught.value.code == "RT310"
        assert bench.read(volume) == precious

    def test_volume_that_appears_meanwhile_is_not_written_over(self, bench: driver_bench.Bench) -> None:
        """The commit looks again."""
        volume = bench.name_of("v")
        precious = bench.padded(b"precious")
        with self._create(bench, volume, _KIB, overwrite=False) as writer:
            bench.write(volume, precious)
            with pytest.raises(errors.EnvironmentProblem) as caught:
                writer.commit()
        assert caught.value.code == "RT310"
        assert bench.read(volume) == precious

    def test_overwriting_replaces_at_the_commit(self, bench: driver_bench.Bench) -> None:
        """The old content stays until the commit and is gone after it, whatever the sizes."""
        volume = bench.name_of("v")
        old = bench.padded(b"old" * 1_000)
        bench.write(volume, old)
        with self._create(bench, volume, _KIB, overwrite=True) as writer:
            writer.write(0, b"new")
        assert bench.read(volume) == old
        with self._create(bench, volume, _KIB, overwrite=True) as writer:
            writer.write(0, b"new")
            writer.commit()
        assert bench.read(volume) == b"new".ljust(_KIB, b"\0")

    def test_volume_is_found_by_its_token(self, bench: driver_bench.Bench) -> None:
        """From the commit on, until another volume takes the name."""
        volume = bench.name_of("restored")
        for token in ("t1", "t2"):
            with self._create(bench, volume, _KIB, overwrite=True, token=token) as writer:
                assert not self._made_with(bench, volume, token)
                writer.commit()
            assert self._made_with(bench, volume, token)
        assert not self._made_with(bench, volume, "t1")
        with self._create(bench, volume, _KIB, overwrite=True) as writer:
            writer.commit()
        assert not self._made_with(bench, volume, "t2")
        assert not self._made_with(bench, volume, "")
        assert not self._made_with(bench, bench.name_of("missing"), "t2")

    def _made_with(self, bench: driver_bench.Bench, volume: str, token: str) -> bool:
        return cast(contract.WriteBlocks, bench.driver).made_with(volume, token)

    def test_write_over_the_end_is_refused(self, bench: driver_bench.Bench) -> None:
        """A volume does not grow by a wrong offset."""
        with self._create(bench, bench.name_of("v"), _KIB, overwrite=False) as writer:
            for offset, data in ((_KIB, b"x"), (_KIB - 4, b"12345"), (-1, b"x")):
                with pytest.raises(ValueError, match="end"):
                    writer.write(offset, data)
            writer.commit()
        assert bench.read(bench.name_of("v")) == bytes(_KIB)

    def test_restored_volume_can_be_snapshotted(self, bench: driver_bench.Bench) -> None:
        """A written volume is a volume like any other."""
        volume = bench.name_of("restored")
        with self._create(bench, volume, _KIB, overwrite=False) as writer:
            writer.write(100, b"data")
            writer.commit()
        if contract.Capability.READ_BLOCKS in bench.claims:
            assert bench.content(bench.snapshot(volume).id) == driver_bench.patched(bytes(_KIB), (100, b"data"))
        assert bench.snapshot(volume).size_bytes == _KIB
