from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from runner.base import cancel
from runner.base import clock as clocks
from runner.registry import driver as contract
from runner.storage.memory import driver as memory


@pytest.fixture
def clock() -> clocks.FakeClock:
    return clocks.FakeClock()


def take(driver: memory.MemoryDriver, **tags: str) -> contract.Snapshot:
    return driver.create_snapshot("v", tags, cancel.CancelToken())


def holding(clock: clocks.FakeClock, **options: Any) -> memory.MemoryDriver:
    driver = memory.MemoryDriver(clock=clock, **options)
    driver.put_volume("v", b"data")
    return driver


def test_snapshot_is_pending_until_its_time_has_come(clock: clocks.FakeClock) -> None:
    driver = holding(clock, ready_after=timedelta(seconds=10))
    taken = take(driver)
    assert taken.state is contract.SnapshotState.PENDING
    clock.advance(9)
    with pytest.raises(contract.StorageError, match="pending"), driver.open_snapshot(taken.id):
        pytest.fail("a pending snapshot has been opened")
    clock.advance(1)
    assert driver.get_snapshot(taken.id).state is contract.SnapshotState.READY
    with driver.open_snapshot(taken.id) as reader:
        assert reader.size_bytes == 4


def test_failed_snapshot_stays_failed(clock: clocks.FakeClock) -> None:
    driver = holding(clock, ready_after=timedelta(seconds=10))
    taken = take(driver)
    driver.fail_snapshot(taken.id)
    clock.advance(60)
    assert driver.get_snapshot(taken.id).state is contract.SnapshotState.FAILED


def test_listing_shows_a_snapshot_after_the_delay(clock: clocks.FakeClock) -> None:
    driver = holding(clock, listing_delay=timedelta(seconds=10))
    taken = take(driver)
    clock.advance(9)
    assert driver.list_snapshots("v", {}) == []
    clock.advance(1)
    assert driver.list_snapshots("v", {}) == [taken]


def test_quota_is_enforced_and_freed_by_deletion(clock: clocks.FakeClock) -> None:
    driver = holding(clock, quota=1)
    taken = take(driver)
    with pytest.raises(contract.QuotaExceeded) as caught:
        take(driver)
    assert caught.value.code == "RT304"
    driver.delete_snapshot(taken.id)
    take(driver)


def test_snapshot_that_is_read_cannot_be_deleted(clock: clocks.FakeClock) -> None:
    driver = holding(clock)
    taken = take(driver)
    with driver.open_snapshot(taken.id), pytest.raises(contract.SnapshotInUse) as caught:
        driver.delete_snapshot(taken.id)
    assert caught.value.code == "RT303"
    driver.delete_snapshot(taken.id)
    assert driver.list_snapshots("v", {}) == []


def test_changed_extents_are_pages_and_tell_zeros(clock: clocks.FakeClock) -> None:
    driver = memory.MemoryDriver(clock=clock)
    driver.put_volume("v", b"x" * 20_000)
    base = take(driver)
    driver.put_volume("v", bytes(8192) + b"x" * 11_808)
    extents = driver.changed_extents(base.id, take(driver).id)
    assert not isinstance(extents, contract.Incomparable)
    assert list(extents) == [contract.Extent(offset=0, length=8192, zero=True)]


def test_all_blueprints_of_a_process_share_one_driver() -> None:
    assert memory.shared() is memory.shared()
