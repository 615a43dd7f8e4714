"""Exports go with everything, prunings exclude each other, and the locks of dead processes count no more."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from msgspec.structs import replace

from runner.base import cancel, clock, owner
from runner.locations import directory, memory
from runner.registry import location as locations
from runner.repository import access, encoding, failures, locks, prune, repository
from runner.testing import faults
from tests.unit.repository.making import CHEAP, START, make, put, reopen


def held(repo: repository.Repository) -> list[str]:
    return [info.name for info in repo.location.list("locks/")]


def plant(repo: repository.Repository, name: str, **changed: object) -> None:
    """Put a lock there as another process would have left it."""
    record = {
        "owner": str(owner.current()),
        "host": "db-1",
        "run": "7kq2m9xw",
        **changed,
    }
    data = repo.keys.seal_object(f"locks/{name}", encoding.encode(record), repo.random)  # type: ignore[arg-type]
    repo.location.put(f"locks/{name}", [data])


@pytest.mark.parametrize(
    ("first", "second", "allowed"),
    [
        ("shared", "shared", True),
        ("shared", "prune", True),
        ("prune", "shared", True),
        ("prune", "prune", False),
    ],
)
def test_of_prunings_there_is_one_at_a_time(first: str, second: str, allowed: bool) -> None:
    repo = make()
    with repo.lock(locks.Use(first)):
        other = reopen(repo).lock(locks.Use(second))
        if allowed:
            with other:
                assert len(held(repo)) == 2
        else:
            with pytest.raises(failures.RepositoryLocked, match=f"process {os.getpid()} on ") as caught, other:
                pass
            assert caught.value.code == "RT416"
        assert len(held(repo)) == 1
    assert held(repo) == []


def test_lock_of_a_dead_process_on_this_machine_is_removed() -> None:
    repo = make()
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    plant(repo, "prune-0000000000000000", owner=str(replace(owner.current(), pid=process.pid)))
    with repo.lock(locks.Use.PRUNE):
        assert len(held(repo)) == 1


def test_lock_of_a_process_whose_number_was_given_anew_is_removed() -> None:
    repo = make()
    mine = owner.current()
    plant(repo, "prune-0000000000000000", owner=str(replace(mine, started=mine.started - 1)))
    with repo.lock(locks.Use.PRUNE):
        assert len(held(repo)) == 1


def test_lock_of_a_living_process_on_this_machine_counts_however_old_it_is() -> None:
    repo = make()
    plant(repo, "prune-0000000000000000")
    repo.clock.advance(timedelta(days=1).total_seconds())  # type: ignore[attr-defined]
    with pytest.raises(failures.RepositoryLocked, match="run 7kq2m9xw"), repo.lock(locks.Use.PRUNE):
        pass


@pytest.mark.parametrize("change", [{"owner": "elsewhere.boot.1.2.3"}, {"owner": "unreadable"}, {"host": 1}])
def test_lock_of_another_machine_counts_until_it_was_not_refreshed_for_30_minutes(change: dict[str, object]) -> None:
    time = clock.FakeClock(START)
    location = memory.Memory(clock=time)
    repo = make(location, clock=time)
    plant(repo, "prune-0000000000000000", **change)
    time.advance(timedelta(minutes=29).total_seconds())
    with pytest.raises(failures.RepositoryLocked), repo.lock(locks.Use.PRUNE):
        pass
    time.advance(timedelta(minutes=2).total_seconds())
    with repo.lock(locks.Use.PRUNE):
        assert len(held(repo)) == 1
    # Should its holder come back, it finds out that it has lost the lock.
    assert [info.name for info in location.list("gc/expired/")] == ["gc/expired/prune-0000000000000000"]


def test_long_export_keeps_its_lock_fresh() -> None:
    time = clock.FakeClock(START)
    location = memory.Memory(clock=time)
    repo = make(location, clock=time)
    with repo.writer(token="t", cancel=cancel.CancelToken()) as writer:
        for number in range(10):
            time.advance(timedelta(minutes=6).total_seconds())
            writer.add([bytes([number])]).result()
        age = time.now() - next(info.modified for info in location.list("locks/"))
        assert age < timedelta(minutes=7)
        writer.finish({"kind": "stream", "source": "test", "roots": []})


def test_export_whose_lock_was_taken_away_fails_before_it_can_be_found() -> None:
    repo = make()
    with repo.writer(token="t", cancel=cancel.CancelToken()) as writer:
        writer.add([b"data"]).result()
        repo.location.delete(held(repo)[0])
        prune.prune(reopen(repo))
        with pytest.raises(failures.RepositoryLocked, match="taken away"):
            writer.finish({"kind": "stream", "source": "test", "roots": []})
    assert repo.find_export("t") is None


def test_export_that_cannot_begin_leaves_no_lock() -> None:
    repo = make()
    put(repo, "a", b"data")
    away = locations.LocationUnavailable("it does not answer")
    faulty = faults.FaultyLocation(repo.location, faults.FaultSet(faults.Fault(method="list", call=0, error=away)))
    with pytest.raises(locations.LocationUnavailable):
        put(repository.Repository(faulty, repo.keys, random=repo.random, clock=repo.clock), "b", b"data")
    assert held(repo) == []


def test_listing_that_lags_is_waited_for() -> None:
    time = clock.FakeClock(START)
    location = memory.Memory(clock=time, listing_delay=5.0)
    repo = make(location, clock=time)
    time.advance(10)
    with repo.lock(locks.Use.PRUNE), pytest.raises(failures.RepositoryLocked), reopen(repo).lock(locks.Use.PRUNE):
        pass


def test_killed_export_leaves_a_lock_that_the_next_pruning_removes(tmp_path: object) -> None:
    location = directory.Directory(f"{tmp_path}/repository")
    repo = access.create(location, "secret", clock=clock.SystemClock(), kdf=CHEAP)
    script = (
        "import os, signal, sys\n"
        "from runner.base import cancel, clock\n"
        "from runner.locations import directory\n"
        "from runner.repository import access\n"
        "repo = access.open(directory.Directory(sys.argv[1]), 'secret', clock=clock.SystemClock())\n"
        "with repo.writer(token='t', cancel=cancel.CancelToken()) as writer:\n"
        "    list(writer.add_all([os.urandom(1_000_000) for _ in range(40)]))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, f"{tmp_path}/repository"], check=False)
    assert done.returncode == -9
    assert len(held(repo)) == 1
    prune.prune(repo)
    assert [info.name for info in location.list("data/")] == []
    assert held(repo) == []
    assert put(repo, "t", b"again") is not None
