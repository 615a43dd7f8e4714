"""Runs on disk: ids, order, privacy, expiry; and the inbox."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from runner.base import clock as clocks
from runner.base import errors, files, secret
from runner.engine import drive, inbox
from runner.engine.request import Request
from runner.engine.runs import RunDirectory, Runs
from runner.plan.plan import Plan
from runner.registry.registry import Registry
from runner.testing.host import MemoryHost

EMPTY = Request(plan=Plan(blueprint="b", action="a", file="f", nodes=()), blueprint_text="")


@pytest.fixture
def clock() -> clocks.FakeClock:
    return clocks.FakeClock()


@pytest.fixture
def runs(tmp_path: Path, clock: clocks.FakeClock) -> Runs:
    return Runs(tmp_path, clock)


def finish(run: RunDirectory, clock: clocks.Clock) -> None:
    drive.drive(run, MemoryHost(Registry(), clock=clock))


def test_runs_are_listed_newest_first_whatever_happened_to_them_since(runs: Runs, clock: clocks.FakeClock) -> None:
    ids = []
    for _ in range(3):
        ids.append(runs.create(EMPTY).id)
        clock.advance(60)
    finish(runs.find(ids[0]), clock)

    assert [run.id for run in runs.all()] == ids[::-1]


def test_a_run_is_found_by_the_start_of_its_id(runs: Runs) -> None:
    runs.create(EMPTY, "b0000001")
    runs.create(EMPTY, "b0000002")
    runs.create(EMPTY, "c0000001")

    assert runs.find("c").id == "c0000001"
    assert runs.find("b0000001").id == "b0000001"
    with pytest.raises(errors.UsageError) as ambiguous:
        runs.find("b")
    assert ambiguous.value.code == "RT420"
    with pytest.raises(errors.UsageError) as unknown:
        runs.find("b0000003")
    assert unknown.value.code == "RT105"
    assert "b0000002" in unknown.value.hint or "b0000001" in unknown.value.hint


@pytest.mark.parametrize("name", ["short", "UPPERCASE", "../../etc", "with space", "illegal-dash"])
def test_an_id_that_could_not_be_a_name_is_refused(runs: Runs, name: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        runs.create(EMPTY, name)
    assert caught.value.code == "RT104"


def test_old_runs_expire_but_the_latest_hundred_stay(runs: Runs, clock: clocks.FakeClock) -> None:
    made = []
    for number in range(103):
        made.append(runs.create(EMPTY))
        clock.advance(1)
        if number != 1:
            finish(made[-1], clock)
    assert runs.expire() == []

    clock.advance(31 * 24 * 3600)

    assert set(runs.expire()) == {made[0].id, made[2].id}, "an unfinished run never expires"
    assert len(runs.all()) == 101


def test_only_the_owner_can_look_into_a_run(runs: Runs) -> None:
    request = Request(plan=EMPTY.plan, blueprint_text="", inputs={"key": secret.Secret("inputs.key", lambda: "value")})
    run = runs.create(request)

    for path in (run.path, *run.path.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_requests_are_read_in_full_and_removed_one_by_one(tmp_path: Path) -> None:
    place = tmp_path / "inbox"
    assert list(inbox.pending(place)) == []
    asks: list[inbox.Ask] = [inbox.Cancel(), inbox.Approve("gate", "fine"), inbox.Settle("load", "rerun")]
    posted = {inbox.post(place, ask): ask for ask in asks}

    assert dict(inbox.pending(place)) == posted
    first = next(iter(posted))
    inbox.remove(place, first)
    inbox.remove(place, first)
    assert first not in dict(inbox.pending(place))


def test_a_request_that_fits_nothing_is_dropped_with_a_warning(runs: Runs, clock: clocks.FakeClock) -> None:
    run = runs.create(EMPTY)
    inbox.post(run.inbox, inbox.Approve("nobody", ""))

    finish(run, clock)

    assert run.state().warnings == [("nobody", "a request came for it that it was not waiting for")]


def test_what_a_process_left_that_died_while_it_made_a_run_is_swept(runs: Runs, tmp_path: Path) -> None:
    runs.create(EMPTY)
    gone = tmp_path / "runs" / f".new-{'0' * 12}.{'0' * 32}.1.999999.1.abcdefgh~"
    (gone / "sealed").mkdir(parents=True)
    mine = tmp_path / "runs" / f".new-{files.temporary_name()}"
    mine.mkdir()
    os.utime(gone, (0, 0))

    runs.expire()

    assert not gone.exists()
    assert mine.exists()
