from __future__ import annotations

import pytest

from runner.base import clock as clocks
from runner.base import errors
from runner.locations import memory


def test_listing_shows_an_object_after_the_delay() -> None:
    clock = clocks.FakeClock()
    store = memory.Memory(listing_delay=30, clock=clock)
    store.put("a", [b"1"])
    assert store.get("a") == b"1"
    clock.advance(29)
    assert list(store.list("")) == []
    clock.advance(1)
    assert [info.name for info in store.list("")] == ["a"]


def test_overwritten_object_stays_listed() -> None:
    clock = clocks.FakeClock()
    store = memory.Memory(listing_delay=30, clock=clock)
    store.put("a", [b"1"])
    clock.advance(30)
    store.put("a", [b"22"], overwrite=True)
    assert [info.size for info in store.list("")] == [2]


def test_full_memory_is_a_full_disk() -> None:
    store = memory.Memory(quota_bytes=10)
    store.put("a", [b"12345678"])
    with pytest.raises(errors.EnvironmentProblem) as caught:
        store.put("b", [b"123"])
    assert caught.value.code == "RT312"
    assert [info.name for info in store.list("")] == ["a"]
    store.put("a", [b"1234567890"], overwrite=True)
    store.delete("a")
    store.put("b", [b"123"])


def test_times_come_from_the_clock() -> None:
    clock = clocks.FakeClock()
    store = memory.Memory(clock=clock)
    store.put("a", [b"1"])
    assert store.stat("a").modified == clock.now()


def test_one_name_is_one_memory() -> None:
    memory.named("test-one").put("a", [b"1"], overwrite=True)
    assert memory.named("test-one").get("a") == b"1"
    assert list(memory.named("test-other").list("")) == []
