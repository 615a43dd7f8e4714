"""Whoever is killed, the runner, its reaper or both: no command stays behind, and none starts late."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import runner
from runner.base import clock as clocks
from runner.base import errors
from runner.processes import procfs, recovery
from tests.unit.processes.process_runs import Run, eventually

CLOCK = clocks.SystemClock()

# A command with a child, a daemon, and a daemon that ignores requests to end.
FAMILY = "(setsid sleep 60 &); (setsid sh -c \"trap '' TERM; sleep 60 & wait; sleep 60\" &); sleep 60 & wait"
FAMILY_SIZE = 5


def files_of(run: Run) -> list[Path]:
    """Return the files that commands were given."""
    return list(run.directory.glob("*.files/*"))


@pytest.mark.parametrize(
    "victims",
    [("runner",), ("reaper",), ("guard",), ("runner", "reaper"), ("runner", "guard"), ("reaper", "runner")],
)
def test_nothing_is_left_whoever_is_killed(run: Run, victims: tuple[str, ...]) -> None:
    process = run.start_runner(FAMILY, grace=0.2)
    assert eventually(lambda: len(run.living()) == FAMILY_SIZE)
    assert len(files_of(run)) == 1
    pids = {"runner": process.pid, **run.reapers()}
    for victim in victims:
        os.kill(pids[victim], signal.SIGKILL)
    assert eventually(lambda: run.living() == [] and run.reapers() == {})
    process.communicate(timeout=60)
    recovery.settle(run.directory, run.token, CLOCK)
    assert files_of(run) == []


def test_the_files_of_a_command_go_with_it_when_only_the_runner_is_killed(run: Run) -> None:
    process = run.start_runner("sleep 60", grace=0.2)
    assert len(files_of(run)) == 1
    process.kill()
    assert eventually(lambda: run.reapers() == {})
    assert files_of(run) == []
    process.communicate(timeout=60)


def test_settling_finds_what_is_left_when_all_three_are_killed(run: Run) -> None:
    process = run.start_runner(FAMILY)
    assert eventually(lambda: len(run.living()) == FAMILY_SIZE)
    reapers = run.reapers()
    os.kill(reapers["reaper"], signal.SIGSTOP)  # or it would end the commands when it sees the guard die
    for pid in (reapers["guard"], reapers["reaper"], process.pid):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    (command,) = [record["pid"] for name, record in recovery.read_records(run.directory) if "-" not in name]
    assert eventually(lambda: procfs.start_time(command) is None)  # dies by itself; its children cannot
    assert run.living()
    recovery.settle(run.directory, run.token, CLOCK)
    assert run.living() == []
    assert list(run.directory.glob("*.json*")) == []
    assert files_of(run) == []


def test_settling_waits_for_a_reaper_that_gives_its_commands_time(run: Run, tmp_path: Path) -> None:
    tidied = tmp_path / "tidied"
    ready = tmp_path / "ready"
    script = f"trap 'sleep 0.3; touch {tidied}; exit' TERM; touch {ready}; while :; do sleep 0.05; done"
    process = run.start_runner(script)
    assert eventually(ready.exists)
    process.kill()
    process.communicate(timeout=60)
    assert recovery.settle(run.directory, run.token, CLOCK) == []
    assert tidied.exists()


def test_settling_kills_a_reaper_that_does_not_end(run: Run) -> None:
    process = run.start_runner("exec sleep 60")
    reapers = run.reapers()
    os.kill(reapers["reaper"], signal.SIGSTOP)
    process.kill()
    process.communicate(timeout=60)
    left = recovery.settle(run.directory, run.token, CLOCK, patience=timedelta(seconds=0.3))
    assert {leftover.pid for leftover in left} >= set(reapers.values())
    assert run.living() == []


def test_a_runner_that_dies_leaves_the_ends_of_its_commands_on_record(run: Run) -> None:
    process = run.start_runner("exec sleep 60")
    process.kill()
    process.communicate(timeout=60)
    assert eventually(lambda: run.reapers() == {})
    (record,) = [json.loads(path.read_text()) for path in run.directory.glob("*.json") if "-" not in path.stem]
    assert record["exit"] == {"code": None, "signal": signal.SIGTERM, "cut": True}
    assert record["boot"] == procfs.boot_id()


@pytest.mark.parametrize("change", [{"start": 1}, {"boot": "another"}, {"start": None}])
def test_a_process_that_got_a_recorded_pid_later_is_spared(run: Run, change: dict[str, object]) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        record = {
            "kind": "command",
            "pid": bystander.pid,
            "start": procfs.start_time(bystander.pid),
            "boot": procfs.boot_id(),
            "program": "sleep",
        }
        run.directory.mkdir()
        (run.directory / recovery.LOG_NAME).touch()
        (run.directory / "x.json").write_text(json.dumps({**record, **change}))
        assert recovery.settle(run.directory, run.token, CLOCK) == []
        assert bystander.poll() is None
        (run.directory / "x.json").write_text(json.dumps(record))
        assert recovery.settle(run.directory, run.token, CLOCK) == [
            recovery.Leftover(pid=bystander.pid, program="sleep")
        ]
    finally:
        bystander.kill()
        bystander.wait()


def test_settling_spares_the_processes_of_other_runs(run: Run, tmp_path: Path) -> None:
    other = Run(tmp_path / "other")
    process = other.start_runner("exec sleep 60")
    run.directory.mkdir()
    (run.directory / recovery.LOG_NAME).touch()
    assert recovery.settle(run.directory, run.token, CLOCK) == []
    assert len(other.living()) == 1
    process.kill()
    process.communicate(timeout=60)
    assert eventually(lambda: other.living() == [] and other.reapers() == {})


def test_a_damaged_record_is_passed_over(run: Run) -> None:
    run.directory.mkdir()
    (run.directory / recovery.LOG_NAME).touch()
    (run.directory / "x.json").write_text('{"kind": "com')
    assert recovery.settle(run.directory, run.token, CLOCK) == []


def test_a_process_that_cannot_be_ended_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    process = run.start_runner("exec sleep 60")
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: None)
    with pytest.raises(errors.EnvironmentProblem, match=r"do not end after 0\.2 s: .*[0-9] sh"):
        recovery.settle(run.directory, run.token, CLOCK, patience=timedelta(seconds=0.2))
    process.kill()
    process.communicate(timeout=60)


# Forks as the reaper does, and then says go, says nothing, or dies.
FORKED = """
import os, signal, sys
from runner.processes import launch
how, target = sys.argv[1:]
go, go_end = os.pipe()
failure, failure_end = os.pipe()
request = {"argv": ["touch", target], "env": dict(os.environ), "cwd": "/"}
parent = os.getpid()
if how == "orphaned":
    parent = 1
pid = os.fork()
if pid == 0:
    launch.become(request, [0, 1, 2], go, failure_end, parent)
if how == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if how != "silence":
    os.write(go_end, launch.GO)
os.close(go_end)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize(("how", "touched"), [("go", True), ("silence", False), ("die", False), ("orphaned", False)])
def test_a_child_runs_only_when_told_that_its_record_is_durable(tmp_path: Path, how: str, touched: bool) -> None:
    target = tmp_path / "touched"
    package_root = str(Path(runner.__file__).parents[1])
    script = [sys.executable, "-c", FORKED, how, str(target)]
    # The pipe ends when the child does, so nothing can be touched after this returns.
    subprocess.run(script, env={**os.environ, "PYTHONPATH": package_root}, stdout=subprocess.PIPE, timeout=60)
    assert target.exists() is touched
