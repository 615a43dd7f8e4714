"""Rates and requests at once, on a clock that only goes on when somebody waits."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Sequence
from concurrent import futures
from datetime import datetime

import pytest

from runner.base import cancel, errors
from runner.base import clock as clocks
from runner.locations import limited, memory, read_only
from runner.registry import location
from runner.testing.location_contract import LocationContract

KIB = 1024


class TestLimitedLocation(LocationContract):
    @pytest.fixture
    def location(self) -> location.Location:
        limits = limited.Limits(upload=10**12, download=10**12, parallel=2)
        return limited.wrap(memory.Memory(), limits, clocks.SystemClock())


def slow(**limits: int) -> tuple[location.Location, clocks.FakeClock]:
    time = clocks.FakeClock()
    return limited.wrap(memory.Memory(), limited.Limits(**limits), time), time


def test_uploads_keep_to_the_rate() -> None:
    place, time = slow(upload=100 * KIB)
    for number in range(11):
        place.put(f"a{number}", [bytes(25 * KIB), bytearray(25 * KIB)])
    assert time.monotonic() == pytest.approx(5.0)
    assert place.get("a0") == bytes(50 * KIB)
    assert time.monotonic() == pytest.approx(5.0)


def test_downloads_keep_to_the_rate() -> None:
    place, time = slow(download=100 * KIB)
    place.put("a", [bytes(50 * KIB)])
    target = bytearray(25 * KIB)
    for _ in range(5):
        place.read_into("a", 0, memoryview(target))
    assert time.monotonic() == pytest.approx(1.0)
    for _ in range(3):
        place.get("a")
    assert time.monotonic() == pytest.approx(2.25, abs=0.3)


def test_time_without_traffic_is_not_saved_up() -> None:
    place, time = slow(upload=KIB)
    time.advance(3600)
    for number in range(3):
        place.put(f"a{number}", [bytes(KIB)])
    assert time.monotonic() == pytest.approx(3602)


def test_threads_share_the_rate() -> None:
    starts: list[float] = []

    class Waiting(clocks.FakeClock):
        def wait(self, event: threading.Event, timeout: float | None) -> bool:
            starts.append(float(timeout or 0))
            return False

    place = limited.wrap(memory.Memory(), limited.Limits(upload=KIB), Waiting())
    with futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: place.put(f"a{number}", [bytes(KIB)]), range(8)))
    assert sorted(starts) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


class Standing(clocks.FakeClock):
    """Time that stands still: who waits does so until it is woken."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: queue.SimpleQueue[float | None] = queue.SimpleQueue()

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        self.waits.put(timeout)
        return event.wait()


def test_who_waits_gives_up_at_once_and_those_behind_move_up() -> None:
    time = Standing()
    place = limited.wrap(memory.Memory(), limited.Limits(upload=1), time)
    tokens = [cancel.CancelToken(), cancel.CancelToken()]
    place.put("first", [bytes(1000)])
    with futures.ThreadPoolExecutor(2) as pool:
        waiting = []
        for number, token in enumerate(tokens):
            mine = location.giving_up(place, token)
            waiting.append(pool.submit(mine.put, f"a{number}", [bytes(500)]))
            assert time.waits.get() == 1000 + 500 * number
        tokens[0].cancel(cancel.Reason.TIMEOUT)
        with pytest.raises(errors.TimedOut):
            waiting[0].result()
        assert time.waits.get() == 1000
        tokens[1].cancel()
        with pytest.raises(errors.Cancelled):
            waiting[1].result()
    # What they would have taken is free again.
    last = pool_of_one(place)
    assert time.waits.get() == 1000
    last.cancel()
    assert [info.name for info in place.list("")] == ["first"]


def pool_of_one(place: location.Location) -> cancel.CancelToken:
    token = cancel.CancelToken()
    mine = location.giving_up(place, token)

    def put() -> None:
        with contextlib.suppress(errors.Cancelled):
            mine.put("last", [b"x"])

    threading.Thread(target=put, daemon=True).start()
    return token


def test_what_lies_around_a_slow_location_gives_up_its_turn_too() -> None:
    place, _ = slow(download=1)
    place.put("a", [bytes(1000)])
    place.get("a")
    token = cancel.CancelToken()
    token.cancel()
    with pytest.raises(errors.Cancelled):
        location.giving_up(read_only.ReadOnly(place), token).get("a")


def test_no_more_requests_at_once_than_allowed() -> None:
    class Counting(memory.Memory):
        now = most = 0
        guard = threading.Lock()

        def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
            with self.guard:
                self.now += 1
                self.most = max(self.most, self.now)
            if self.now < 3:
                threading.Event().wait(0.02)
            with self.guard:
                self.now -= 1

    inner = Counting()
    place = limited.wrap(inner, limited.Limits(parallel=3), clocks.SystemClock())
    with futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: place.put(f"a{number}", [b""]), range(24)))
    assert inner.most == 3


class Capable(memory.Memory):
    def check_room(self) -> None:
        raise errors.EnvironmentProblem("full", code="RT312")

    def honours_conditions(self, name: str) -> bool:
        return True

    def locked_until(self, name: str) -> datetime | None:
        return datetime.fromisoformat("2026-03-01T00:00:00+00:00")

    def extend(self, name: str) -> None:
        self.put(name, [b"extended"])

    def check_retention(self) -> str:
        return "compliance"


def test_what_the_location_inside_can_do_is_kept_and_nothing_is_added() -> None:
    protocols = (location.Bounded, location.Conditional, location.Retaining)
    plain, _ = slow(upload=1)
    assert [isinstance(plain, protocol) for protocol in protocols] == [False] * 3
    capable = limited.wrap(Capable(), limited.Limits(parallel=1), clocks.FakeClock())
    assert [isinstance(capable, protocol) for protocol in protocols] == [True] * 3
    assert isinstance(capable, location.Bounded)
    with pytest.raises(errors.EnvironmentProblem, match="full"):
        capable.check_room()
    assert isinstance(capable, location.Conditional)
    assert capable.honours_conditions("a")
    assert isinstance(capable, location.Retaining)
    assert capable.locked_until("a") is not None
    capable.extend("b")
    assert capable.get("b") == b"extended"
    assert capable.check_retention() == "compliance"


def test_limits_are_read_from_the_profile() -> None:
    assert limited.limits_of({"type": "s3"}) is None
    found = limited.limits_of(
        {"limits": {"upload": "20MiB", "download": 1000, "parallel": 4, "workers": 2, "temporary": "2Gi"}}
    )
    assert found == limited.Limits(upload=20 << 20, download=1000, parallel=4, workers=2, temporary=2 << 30)
    assert str(found) == "upload 20.0 MiB/s, download 1000 B/s, requests at once: 4, workers: 2, temporary 2.0 GiB"


@pytest.mark.parametrize("rate", ["fast", "0", "20 MiB/s"])
def test_what_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        limited.limits_of({"limits": {"upload": rate}})
    assert caught.value.code == "RT403"


def test_without_limits_of_the_location_it_is_used_as_it_is() -> None:
    inner = memory.Memory()
    assert limited.wrap(inner, None, clocks.FakeClock()) is inner
    assert limited.wrap(inner, limited.Limits(workers=2, temporary=1), clocks.FakeClock()) is inner
