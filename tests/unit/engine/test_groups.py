"""Concurrency groups: one run of a group at a time, whatever becomes of the processes that drive them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runner.base import clock as clocks
from runner.engine import events, groups, inbox, result
from runner.engine.run_state import RunState
from runner.engine.runs import RunDirectory
from runner.engine.states import RunStatus
from runner.plan.plan import Concurrency, Plan
from runner.registry import context
from tests.unit.engine.bench import Bench, fail_with, node, plan


def grouped(*, queue: bool = True) -> Plan:
    return plan(node("first"), concurrency=Concurrency(group="orders", queue=queue))


def interrupted(bench: Bench) -> RunDirectory:
    """Return a run that has the group and that nobody drives."""
    run = bench.create(grouped())
    with run.lock():
        assert groups.admit(run, "orders", queue=True) is None
    return run


class Watch:
    """Sees the events of a run; sets `queued` once it has to wait."""

    def __init__(self) -> None:
        self.queued = threading.Event()

    def on_event(self, record: events.Record, state: RunState) -> None:
        if isinstance(record.event, events.Queued):
            self.queued.set()

    def on_progress(self, progress: object) -> None:
        """See how far an attempt is."""


def in_thread(bench: Bench, run: RunDirectory, watch: Watch) -> tuple[threading.Thread, list[RunState]]:
    ended: list[RunState] = []
    thread = threading.Thread(target=lambda: ended.append(bench.drive(run, watch)))
    thread.start()
    return thread, ended


def test_a_run_waits_for_the_run_that_has_its_group(bench: Bench) -> None:
    first, watch = interrupted(bench), Watch()
    second = bench.create(grouped())
    thread, ended = in_thread(bench, second, watch)
    assert watch.queued.wait(10)

    shown = result.load(second, bench.clock.now())
    assert shown.status is RunStatus.WAITING
    assert first.id in (second.state().behind or "")
    assert bench.script.calls == []
    Bench(bench.path, bench.clock).drive(first)
    thread.join(10)

    assert [state.finished for state in ended] == ["succeeded"]


def test_a_run_that_does_not_wait_is_refused_untouched(bench: Bench) -> None:
    first = interrupted(bench)
    second = bench.create(grouped(queue=False))

    bench.drive(second)

    shown = result.load(second, bench.clock.now())
    assert (shown.status, shown.exit) == (RunStatus.FAILED, 4)
    assert shown.error is not None
    assert (shown.error.code, shown.error.message.split()[1]) == ("RT217", first.id)
    assert "runner cancel" in shown.error.hint
    assert bench.script.calls == []


def test_a_group_is_free_again_when_its_run_has_ended(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(ValueError("defect"))]

    states = [bench.run(grouped(queue=False)) for _ in range(2)]

    assert [state.finished for state in states] == ["failed", "succeeded"]


def test_a_group_of_a_run_that_is_gone_is_free(bench: Bench) -> None:
    first = interrupted(bench)
    first.journal.unlink()

    assert bench.run(grouped(queue=False)).finished == "succeeded"


def test_a_resumed_run_still_has_its_group(bench: Bench) -> None:
    first = interrupted(bench)

    assert bench.drive(first).finished == "succeeded"


def test_those_that_wait_get_their_turn_in_the_order_in_which_they_came(bench: Bench) -> None:
    first, second, third = (bench.create(grouped()) for _ in range(3))
    with first.lock(), second.lock(), third.lock():
        assert groups.admit(first, "orders", queue=True) is None
        assert [groups.admit(run, "orders", queue=True) is None for run in (second, third)] == [False, False]
        groups.release(first, "orders")

        behind = groups.admit(third, "orders", queue=True)
        assert behind is not None
        assert behind.run == second.id
        assert groups.admit(second, "orders", queue=True) is None


def test_one_that_waited_and_was_killed_does_not_keep_its_turn(bench: Bench) -> None:
    first, second, third = (bench.create(grouped()) for _ in range(3))
    with first.lock(), third.lock():
        groups.admit(first, "orders", queue=True)
        with second.lock():
            groups.admit(second, "orders", queue=True)
        groups.admit(third, "orders", queue=True)
        groups.release(first, "orders")

        assert groups.admit(third, "orders", queue=True) is None


def test_a_run_that_waits_can_be_cancelled(bench: Bench) -> None:
    interrupted(bench)
    second, watch = bench.create(grouped()), Watch()
    thread, ended = in_thread(bench, second, watch)
    assert watch.queued.wait(10)

    inbox.post(second.inbox, inbox.Cancel())
    thread.join(10)

    assert [state.finished for state in ended] == ["cancelled"]
    assert bench.script.calls == []


def test_other_groups_do_not_wait(bench: Bench) -> None:
    interrupted(bench)

    assert bench.run(plan(node("first"), concurrency=Concurrency(group="other", queue=False))).finished == "succeeded"


@pytest.mark.parametrize("width", [1, 3])
def test_a_run_makes_no_more_attempts_at_once_than_it_may(tmp_path: Path, width: int) -> None:
    bench = Bench(tmp_path, clocks.SystemClock())
    barrier, most, lock, under_way = threading.Event(), 0, threading.Lock(), 0

    def count(ctx: context.PhaseContext) -> None:
        nonlocal most, under_way
        with lock:
            under_way += 1
            most = max(most, under_way)
            if under_way == width:
                barrier.set()
        barrier.wait(10)
        with lock:
            under_way -= 1

    phases = [node(f"p{number}") for number in range(6)]
    for phase in phases:
        bench.script.actions[phase.id] = [count]

    bench.run(plan(*phases, concurrency=Concurrency(max_parallel=width)))

    assert most == width


DYING = """
import os, pathlib, signal, sys
from runner.base import files
from runner.engine import groups, runs
files.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
groups.release(runs.RunDirectory(pathlib.Path(sys.argv[1])), sys.argv[2])
"""


def test_nothing_is_left_of_a_process_that_died_while_it_gave_a_group_back(bench: Bench) -> None:
    run = interrupted(bench)
    state_dir = run.path.parent.parent
    died = subprocess.run([sys.executable, "-c", DYING, run.path, "orders"], check=False)
    assert died.returncode == -signal.SIGKILL
    before = sorted(path.name for path in (state_dir / "groups").iterdir())
    groups.sweep(state_dir)
    assert len(before) == 3
    assert sorted(path.suffix for path in (state_dir / "groups").iterdir()) == [".json", ".lock"]
    assert groups.admit(run, "orders", queue=False) is None
