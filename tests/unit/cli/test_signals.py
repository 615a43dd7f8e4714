"""Ctrl-C, kill and second drivers, with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.base import codes
from tests.unit.cli import sample_blueprints as blueprints

RUN = "7kq2m9xw"


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run whose first phase is done and whose second goes on and on; yield when that is so."""
    blueprints.write(tmp_path, blueprints.SLOW)
    with started(tmp_path, "exec", "blueprint.yaml", "--run-id", RUN) as process:
        assert read_until(process, "quiesce")
        yield process


def read_until(process: subprocess.Popen[str], text: str) -> bool:
    """Read the lines of standard error up to one that holds a text; False when they end before."""
    assert process.stderr is not None
    return any(text in line for line in process.stderr)


@contextmanager
def started(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command; whatever becomes of the test, it does not outlive the block."""
    environment = {**os.environ, "RUNNER_STATE_DIR": str(directory / "state"), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-m", "runner", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(directory: Path, *arguments: str) -> tuple[int, str, str]:
    with started(directory, *arguments) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def status(directory: Path) -> str:
    return str(json.loads(run(directory, "show", RUN, "-o", "json")[1])["run"]["status"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_ctrl_c_undoes_what_was_done(slow: subprocess.Popen[str], tmp_path: Path, number: int) -> None:
    slow.send_signal(number)
    out, err = slow.communicate(timeout=60)
    assert slow.returncode == codes.Exit.CANCELLED
    assert (tmp_path / "marks").read_text() == "done\nundone\n"
    assert out == ""
    assert err.endswith(f"  reverted: quiesce\nRun {RUN} cancelled; its log: runner logs {RUN}\n")


def test_the_second_ctrl_c_stops_at_once_and_says_what_is_left(slow: subprocess.Popen[str], tmp_path: Path) -> None:
    # A revert that never ends makes sure that the second one comes while the first is being obeyed.
    (tmp_path / "marks").unlink()
    os.mkfifo(tmp_path / "marks")
    slow.send_signal(signal.SIGINT)
    assert read_until(slow, "cancelling")
    slow.send_signal(signal.SIGINT)
    _, err = slow.communicate(timeout=60)
    assert slow.returncode == codes.Exit.INTERRUPTED
    assert f"error[RT218]: run {RUN} was stopped before its end\n" in err
    assert err.endswith(f"  go on:   runner resume {RUN}\n  give up: runner cancel {RUN}\n")
    (tmp_path / "marks").unlink()
    assert run(tmp_path, "resume", RUN)[0] in (codes.Exit.CANCELLED, codes.Exit.WAITING)


def test_a_killed_run_is_interrupted_and_asks_to_be_settled(slow: subprocess.Popen[str], tmp_path: Path) -> None:
    slow.kill()
    slow.wait(timeout=60)
    assert status(tmp_path) == "interrupted"
    code, _, err = run(tmp_path, "resume", RUN)
    assert code == codes.Exit.WAITING
    assert f"runner resume {RUN} --settle dump=rerun" in err
    code, out, _ = run(tmp_path, "resume", RUN, "--settle", "dump=succeeded")
    assert (code, out[:15]) == (0, "backup complete")
    assert (tmp_path / "marks").read_text() == "done\n"


def test_cancel_from_another_process_is_obeyed_by_the_driver(slow: subprocess.Popen[str], tmp_path: Path) -> None:
    code, _, err = run(tmp_path, "cancel", RUN)
    assert code == 0
    assert err == f"told the process that drives run {RUN}; follow it with: runner logs {RUN} -f\n"
    told = slow.communicate(timeout=60)[1]
    assert slow.returncode == codes.Exit.CANCELLED
    assert "  cancelling: what was done is undone now\n" in told
    assert status(tmp_path) == "cancelled"


def test_a_killed_phase_that_is_cancelled_is_told_once(tmp_path: Path) -> None:
    repeatable = blueprints.SLOW.replace("'sleep 600'", "'sleep 600', idempotent: true")
    blueprints.write(tmp_path, repeatable)
    with started(tmp_path, "exec", "blueprint.yaml", "--run-id", RUN) as process:
        assert read_until(process, "quiesce")
    code, _, err = run(tmp_path, "cancel", RUN)
    assert code == 0
    assert [line.split()[1] for line in err.splitlines() if line.endswith("cancelled")] == ["dump"]


def test_a_run_has_one_driver(slow: subprocess.Popen[str], tmp_path: Path) -> None:
    code, _, err = run(tmp_path, "resume", RUN)
    assert code == codes.exit_of("RT211")
    assert f"error[RT211]: run {RUN} is driven by process {slow.pid}" in err
    assert status(tmp_path) == "running"


def test_following_the_log_ends_with_the_driver(slow: subprocess.Popen[str], tmp_path: Path) -> None:
    with started(tmp_path, "logs", RUN, "-f") as follower:
        slow.send_signal(signal.SIGINT)
        out, _ = follower.communicate(timeout=60)
    assert follower.returncode == 0
    assert out == run(tmp_path, "logs", RUN)[1]


def test_ctrl_c_while_the_program_is_loaded_shows_no_traceback() -> None:
    pressed = """
import sys
from runner.__main__ import main

class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Pressed())
main()
"""
    done = subprocess.run([sys.executable, "-c", pressed], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (codes.Exit.INTERRUPTED, "", "interrupted\n")
