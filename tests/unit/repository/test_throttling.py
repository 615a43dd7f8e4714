"""A store that asks to be called less often: work gets through, and if it never does, ends in bounded time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from runner.locations import object_clients
from runner.registry import location as locations
from runner.repository import check, prune
from tests.servers import xml_store
from tests.unit.repository.making import contents, make, noise, point, put, reopen

# The client asks as often as always, but does not take its time.
HASTY = {"backoff": {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2), "base": 2}}


@pytest.mark.parametrize("status", [503, 429])
def test_exports_restores_checks_and_prunings_get_through(status: int, tmp_path: Path) -> None:
    chunks = [noise(str(number), 200_000) for number in range(100)]
    with xml_store.started(throttles_every=3, throttles_with=status) as store:
        repo = make(object_clients.open_spec(store.s3(tmp_path), patience=HASTY))
        put(repo, "old", *chunks[:50], noise("old", 500_000))
        export = put(repo, "new", *chunks)
        repo.put_point(point("aaaaaaaa", export))
        assert prune.prune(reopen(repo), unfinished=timedelta(0)).exports_removed == 1
        assert contents(reopen(repo), export) == chunks
        assert check.check(reopen(repo), read_data=True).problems == ()
        assert store.refused > 30


@pytest.mark.parametrize("status", [503, 429])
def test_a_store_that_refuses_everything_is_asked_five_times_and_said_to_be_busy(status: int, tmp_path: Path) -> None:
    with xml_store.started() as store:
        repo = make(object_clients.open_spec(store.s3(tmp_path), patience=HASTY))
        export = put(repo, "a", b"data")
        opened = reopen(repo)
        store.throttles_every, store.throttles_with = 1, status
        store.requests.clear()
        with pytest.raises(locations.LocationUnavailable, match="asks to be called less often") as caught:
            contents(opened, export)
        assert len(store.requests) == 5
        assert caught.value.retryable
        assert caught.value.retry_after is not None
        store.throttles_every = 0
        assert contents(opened, export) == [b"data"]
