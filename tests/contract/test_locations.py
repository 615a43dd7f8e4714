from __future__ import annotations

from pathlib import Path

import pytest

from runner.base import clock as clocks
from runner.locations import directory, memory
from runner.registry import location as contract
from runner.testing import broken_locations, faults, location_contract


class TestDirectory(location_contract.LocationContract):
    @pytest.fixture
    def location(self, tmp_path: Path) -> contract.Location:
        return directory.Directory(tmp_path / "not" / "there yet")


class TestMemory(location_contract.LocationContract):
    @pytest.fixture
    def location(self) -> contract.Location:
        return memory.Memory()


class TestMemoryThatListsLate(location_contract.LocationContract):
    @pytest.fixture
    def clock(self) -> clocks.FakeClock:
        return clocks.FakeClock()

    @pytest.fixture
    def location(self, clock: clocks.FakeClock) -> contract.Location:
        self.clock_of_location = clock
        return memory.Memory(listing_delay=30.0, clock=clock)

    def settle(self, location: contract.Location) -> None:
        self.clock_of_location.advance(location.listing_delay)


class TestWrapperWithoutFaults(location_contract.LocationContract):
    @pytest.fixture
    def location(self, tmp_path: Path) -> contract.Location:
        return faults.FaultyLocation(directory.Directory(tmp_path), faults.FaultSet())


@pytest.mark.parametrize(
    "broken", broken_locations.BROKEN, ids=lambda broken: f"{broken.location.__name__}-{broken.test}"
)
def test_suite_rejects_a_broken_location(broken: broken_locations.Broken, tmp_path: Path) -> None:
    test = getattr(location_contract.LocationContract(), broken.test)
    with pytest.raises((Exception, pytest.fail.Exception)) as caught:
        test(broken.location(tmp_path), *broken.arguments)
    assert caught.type not in (TypeError, NotImplementedError), "the suite or the broken location is wrong itself"
