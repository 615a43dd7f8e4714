from __future__ import annotations

from datetime import timedelta

import pytest

from runner.base import cancel
from runner.base import clock as clocks
from runner.locations import memory as memory_location
from runner.registry import driver as drivers
from runner.registry import location
from runner.storage.memory import driver as memory_driver
from runner.testing import faults

LOST = location.LocationUnavailable("lost")


def faulty(*planned: faults.Fault, clock: clocks.Clock | None = None) -> faults.FaultyLocation:
    return faults.FaultyLocation(memory_location.Memory(), faults.FaultSet(*planned, clock=clock))


def test_only_the_chosen_call_fails_and_has_no_effect() -> None:
    store = faulty(faults.Fault(method="put", call=2, error=LOST))
    store.put("a", [b"1"])
    with pytest.raises(location.LocationUnavailable):
        store.put("b", [b"2"])
    store.put("c", [b"3"])
    assert [info.name for info in store.list("")] == ["a", "c"]


def test_call_whose_answer_is_lost_takes_effect() -> None:
    store = faulty(faults.Fault(method="put", error=LOST, lost_answer=True))
    with pytest.raises(location.LocationUnavailable):
        store.put("a", [b"1"])
    assert store.get("a") == b"1"


def test_every_call_fails_when_no_call_is_chosen() -> None:
    store = faulty(faults.Fault(method="get", call=0, error=LOST))
    store.put("a", [b"1"])
    for _ in range(3):
        with pytest.raises(location.LocationUnavailable):
            store.get("a")


def test_delay_passes_on_the_clock() -> None:
    clock = clocks.FakeClock()
    store = faulty(faults.Fault(method="get", delay=timedelta(seconds=7)), clock=clock)
    store.put("a", [b"1"])
    assert store.get("a") == b"1"
    assert clock.monotonic() == 7
    store.get("a")
    assert clock.monotonic() == 7


def test_calls_are_counted_and_faults_can_be_added_later() -> None:
    planned = faults.FaultSet()
    driver = faults.FaultyDriver(memory_driver.MemoryDriver(), planned)
    with pytest.raises(drivers.VolumeMissing):
        driver.create_snapshot("v", {}, cancel.CancelToken())
    assert planned.calls == {"create_snapshot": 1}
    planned.add(faults.Fault(method="create_snapshot", call=2, error=drivers.StorageUnavailable("busy")))
    with pytest.raises(drivers.StorageUnavailable):
        driver.create_snapshot("v", {}, cancel.CancelToken())
