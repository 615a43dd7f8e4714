from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.base import clock as clocks
from runner.registry import driver as contract
from runner.storage.file import driver as file_driver
from runner.storage.memory import driver as memory
from runner.testing import broken_drivers, driver_bench, driver_contract, faults

ALL = frozenset(contract.Capability)
# A copy is needed as a whole to be compared with.
FILE = ALL - {contract.Capability.RELEASE_BLOCKS}


def memory_bench(driver: memory.MemoryDriver, clock: clocks.FakeClock) -> driver_bench.Bench:
    return driver_bench.Bench(
        driver=driver, name_of=str, write=driver.put_volume, read=driver.volume, claims=ALL, clock=clock
    )


class TestMemory(driver_contract.DriverContract):
    @pytest.fixture
    def bench(self) -> driver_bench.Bench:
        clock = clocks.FakeClock()
        return memory_bench(memory.MemoryDriver(clock=clock), clock)


class TestMemoryThatTakesItsTime(driver_contract.DriverContract):
    @pytest.fixture
    def bench(self) -> driver_bench.Bench:
        clock = clocks.FakeClock()
        late = memory.MemoryDriver(ready_after=timedelta(seconds=45), listing_delay=timedelta(minutes=1), clock=clock)
        return memory_bench(late, clock)


class TestFile(driver_contract.DriverContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> driver_bench.Bench:
        return file_bench(tmp_path, file_driver.FileDriver())


class TestFileWithReflinks(driver_contract.DriverContract):
    @pytest.fixture
    def bench(self, reflink_disk: Path) -> driver_bench.Bench:
        return file_bench(reflink_disk, file_driver.FileDriver())


class TestWrapperWithoutFaults(driver_contract.DriverContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> driver_bench.Bench:
        return file_bench(tmp_path, faults.FaultyDriver(file_driver.FileDriver(), faults.FaultSet()))


def file_bench(directory: Path, driver: contract.SnapshotDriver) -> driver_bench.Bench:
    return driver_bench.Bench(
        driver=driver,
        name_of=lambda name: str(directory / name),
        write=write_sparse,
        read=lambda volume: Path(volume).read_bytes(),
        claims=FILE,
        clock=clocks.SystemClock(),
    )


def write_sparse(volume: str, data: bytes) -> None:
    """Write in place as an application does, leaving holes where there are zeros."""
    path = Path(volume)
    path.touch()
    with path.open("r+b") as file:
        file.truncate(0)
        file.truncate(len(data))
        for offset in range(0, len(data), 4096):
            page = data[offset : offset + 4096]
            if page.strip(b"\0"):
                file.seek(offset)
                file.write(page)


@pytest.mark.parametrize("broken", broken_drivers.BROKEN, ids=lambda broken: f"{broken.driver.__name__}-{broken.test}")
def test_suite_rejects_a_broken_driver(broken: broken_drivers.Broken) -> None:
    clock = clocks.FakeClock()
    bench = memory_bench(broken.driver(listing_delay=timedelta(seconds=8), clock=clock), clock)
    with pytest.raises((Exception, pytest.fail.Exception)) as caught:
        getattr(driver_contract.DriverContract(), broken.test)(bench)
    assert caught.type is not TypeError, "the suite or the broken driver is wrong itself"


@pytest.mark.parametrize(
    "claims", [ALL - {one} for one in contract.Capability], ids=lambda claims: "-".join(sorted(claims))
)
def test_suite_rejects_claims_that_do_not_hold(claims: frozenset[contract.Capability]) -> None:
    clock = clocks.FakeClock()
    bench = replace(memory_bench(memory.MemoryDriver(clock=clock), clock), claims=claims)
    with pytest.raises(AssertionError):
        driver_contract.DriverContract().test_claims_are_what_is_implemented(bench)
