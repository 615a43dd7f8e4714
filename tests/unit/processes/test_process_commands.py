"""Commands run under a reaper: streams, ends, cancellation, and nothing that stays behind."""

from __future__ import annotations

import os
import shutil
import signal
from concurrent import futures
from datetime import timedelta
from pathlib import Path

import pytest

from runner.base import cancel as cancels
from runner.base import errors
from runner.processes import commands, procfs
from tests.unit.processes.process_runs import Run, eventually

NEVER = cancels.CancelToken()


def test_a_command_gets_its_streams_directory_and_environment(run: Run, tmp_path: Path) -> None:
    read, write = os.pipe()
    with run.open() as opened, open(read, "rb") as output:
        script = "read line; echo $line $NAME; pwd"
        (tmp_path / "in").write_bytes(b"hello\n")
        with (tmp_path / "in").open("rb") as source:
            env = {**run.env, "NAME": "wörld\udcff"}
            command = opened.start(["sh", "-c", script], env=env, cwd=tmp_path, stdin=source.fileno(), stdout=write)
        os.close(write)
        assert output.read() == b"hello w\xc3\xb6rld\xff\n" + os.fsencode(tmp_path) + b"\n"
        assert command.wait(NEVER) == commands.Exit(code=0)


@pytest.mark.parametrize(
    ("script", "ended", "words"),
    [
        ("exit 3", commands.Exit(code=3), "exit code 3"),
        ("kill -9 $$", commands.Exit(signal=9), "signal SIGKILL"),
    ],
)
def test_an_exit_says_code_or_signal(run: Run, script: str, ended: commands.Exit, words: str) -> None:
    with run.open() as opened:
        result = opened.start(["sh", "-c", script], env=run.env).wait(NEVER)
    assert result == ended
    assert str(result) == words


def test_a_missing_program_is_a_problem_of_the_environment(run: Run) -> None:
    with run.open() as opened, pytest.raises(errors.EnvironmentProblem, match='"no-such-program" is missing') as caught:
        opened.start(["no-such-program"], env=run.env)
    assert caught.value.code == "RT205"
    assert caught.value.hint


def test_a_file_that_is_no_program_is_a_problem_of_the_environment(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("just text")
    with run.open() as opened, pytest.raises(errors.EnvironmentProblem, match="cannot be executed") as caught:
        opened.start([str(tmp_path / "text")], env=run.env)
    assert caught.value.code == "RT205"


def test_a_missing_directory_is_told_from_a_missing_program(run: Run, tmp_path: Path) -> None:
    with run.open() as opened, pytest.raises(errors.EnvironmentProblem, match="working directory of true") as caught:
        opened.start(["true"], env=run.env, cwd=tmp_path / "missing")
    assert caught.value.code == "RT204"


def test_what_cannot_be_passed_to_a_program_is_refused(run: Run) -> None:
    with run.open() as opened:
        with pytest.raises(errors.PermanentError, match="NUL"):
            opened.start(["true", "a\0b"], env=run.env)
        with pytest.raises(errors.PermanentError, match="Argument list too long"):
            opened.start(["true", "a" * 3_000_000], env=run.env)
        assert opened.start(["true"], env=run.env).wait(NEVER) == commands.Exit(code=0)


def test_nothing_but_the_three_streams_is_inherited(run: Run) -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    with run.open() as opened, open(read, "rb") as output:
        idle = opened.start(["sleep", "60"], env=run.env)
        command = opened.start(["sh", "-c", "ls -l /proc/$$/fd; exec cat /proc/self/status"], env=run.env, stdout=write)
        os.close(write)
        lines = output.read().decode().splitlines()
        command.wait(NEVER)
        idle.terminate()
    assert [line.split()[8] for line in lines if "->" in line] == ["0", "1", "2"]
    ignored = {
        line.partition(":")[0]: int(line.split()[1], 16) for line in lines if line.startswith(("SigIgn", "SigBlk"))
    }
    assert ignored == {"SigIgn": 0, "SigBlk": 0}


def test_a_hundred_commands_run_at_once(run: Run) -> None:
    with run.open() as opened, futures.ThreadPoolExecutor(20) as pool:
        started = list(pool.map(lambda _: opened.start(["sleep", "60"], env=run.env), range(100)))
        assert len(run.living()) == 100
        for command in started:
            command.terminate()
        assert {command.wait(NEVER) for command in started} == {commands.Exit(signal=15)}
        assert run.living() == []


def test_no_descriptor_stays_open(run: Run) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with run.open() as opened:
        opened.start(["true"], env=run.env).wait(NEVER)
        with pytest.raises(errors.EnvironmentProblem):
            opened.start(["no-such-program"], env=run.env)
        reaper = run.reapers()["reaper"]
        assert eventually(lambda: len(os.listdir(f"/proc/{reaper}/fd")) == 6)  # streams, lifeline, wakeup pipe
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_cancelled_command_ends_with_its_children(run: Run) -> None:
    token = cancels.CancelToken()
    with run.open() as opened:
        command = opened.start(["sh", "-c", "sleep 60 & sleep 60"], env=run.env)
        assert eventually(lambda: len(run.living()) == 3)
        token.cancel()
        with pytest.raises(errors.Cancelled):
            command.wait(token)
        assert run.living() == []


def test_a_command_that_ignores_termination_is_killed_after_the_grace(run: Run) -> None:
    token = cancels.CancelToken()
    read, write = os.pipe()
    with run.open() as opened, open(read, "rb") as output:
        command = opened.start(
            ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done"], env=run.env, stdout=write
        )
        os.close(write)
        output.readline()
        token.cancel(cancels.Reason.TIMEOUT)
        with pytest.raises(errors.TimedOut):
            command.wait(token, grace=timedelta(seconds=0.1))
        assert run.living() == []


def test_a_command_may_use_the_grace_to_tidy_up(run: Run, tmp_path: Path) -> None:
    read, write = os.pipe()
    with run.open() as opened, open(read, "rb") as output:
        # The shell, which leads the group, dies at once; the process below it still gets its time.
        below = "trap 'sleep 0.2; touch tidied; exit' TERM; echo ready; while :; do sleep 0.05; done"
        argv = ["sh", "-c", f'sh -c "{below}" & wait']
        command = opened.start(argv, env=run.env, cwd=tmp_path, stdout=write)
        os.close(write)
        output.readline()
        command.terminate(timedelta(seconds=10))
        command.wait(NEVER)
    assert (tmp_path / "tidied").exists()


@pytest.mark.parametrize(
    "daemon",
    [
        "sleep 60 &",
        "setsid sleep 60 &",
        "(setsid sh -c 'sleep 60 & sleep 60' &) &",
        "setsid env -i sleep 60 &",
        "(trap '' TERM HUP; sleep 60 &)",
    ],
)
def test_nothing_in_the_background_outlives_its_command(run: Run, daemon: str) -> None:
    with run.open() as opened:
        command = opened.start(["sh", "-c", f"{daemon}\nexec sleep 0.1"], env=run.env)
        assert command.wait(NEVER) == commands.Exit(code=0)
        parents = {str(run.reapers()["reaper"]).encode(), str(run.reapers()["guard"]).encode()}
        left = [
            pid for pid in procfs.all_pids() if procfs.stat_fields(pid)[1:2] and procfs.stat_fields(pid)[1] in parents
        ]
        assert left == [run.reapers()["reaper"]]
        assert run.living() == []


def test_a_daemon_is_told_from_those_of_other_commands(run: Run) -> None:
    with run.open() as opened:
        other = opened.start(["sh", "-c", "(setsid sleep 60 &); exec sleep 60"], env=run.env)
        assert eventually(lambda: len(run.living()) == 2)
        opened.start(["sh", "-c", "(setsid sleep 60 &); exec sleep 0.05"], env=run.env).wait(NEVER)
        assert len(run.living()) == 2
        other.terminate()


def test_a_daemon_lives_as_long_as_its_command(run: Run) -> None:
    with run.open() as opened:
        command = opened.start(["sh", "-c", "(setsid sleep 61 &); exec sleep 60"], env=run.env)
        assert eventually(lambda: len(run.living()) == 2)
        opened.start(["true"], env=run.env).wait(NEVER)
        assert len(run.living()) == 2
        command.terminate()
        command.wait(NEVER)
        assert run.living() == []


def test_closing_ends_what_still_runs_and_leaves_no_record(run: Run) -> None:
    with run.open() as opened:
        command = opened.start(["sleep", "60"], env=run.env)
        assert [path.stem for path in run.directory.glob("*.json") if "-" not in path.stem] == [command.id]
    with pytest.raises(errors.OutcomeUnknown):
        command.wait(NEVER)
    assert run.living() == []
    assert run.reapers() == {}
    assert list(run.directory.glob("*.json*")) == []


@pytest.mark.parametrize("victim", ["guard", "reaper"])
def test_a_killed_reaper_takes_the_commands_along_and_is_replaced(run: Run, victim: str) -> None:
    with run.open() as opened:
        command = opened.start(["sh", "-c", "(setsid sleep 60 &); sleep 60"], env=run.env)
        assert eventually(lambda: len(run.living()) == 3)
        os.kill(run.reapers()[victim], signal.SIGKILL)
        with pytest.raises(errors.OutcomeUnknown, match="the command with it"):
            command.wait(NEVER)
        assert run.living() == []
        assert eventually(lambda: succeeds(opened, run))


def succeeds(opened: commands.Commands, run: Run) -> bool:
    try:
        return opened.start(["true"], env=run.env).wait(NEVER) == commands.Exit(code=0)
    except errors.OutcomeUnknown:  # the old reaper was still on its way out
        return False


def test_a_command_whose_record_cannot_be_written_never_runs(run: Run, tmp_path: Path) -> None:
    with run.open() as opened:
        opened.start(["true"], env=run.env).wait(NEVER)
        shutil.rmtree(run.directory)
        with pytest.raises(errors.EnvironmentProblem, match="record cannot be written"):
            opened.start(["touch", str(tmp_path / "touched")], env=run.env)
        run.directory.mkdir()
        assert opened.start(["true"], env=run.env).wait(NEVER) == commands.Exit(code=0)
    assert not (tmp_path / "touched").exists()
