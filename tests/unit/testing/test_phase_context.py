"""The phase context for tests keeps the contract of the real one."""

from datetime import timedelta
from pathlib import Path

import pytest

from runner.base import clock as clocks
from runner.base import errors, secret
from runner.registry import context
from runner.testing import phase_context


def test_it_satisfies_the_contract(tmp_path: Path) -> None:
    checked_by_mypy: context.PhaseContext = phase_context.FakePhaseContext(tmp_path / "work")
    assert checked_by_mypy.work.is_dir()


def test_a_revealed_secret_does_not_reach_the_log(tmp_path: Path) -> None:
    ctx = phase_context.FakePhaseContext(tmp_path)
    assert ctx.reveal(secret.Secret("inputs.password", lambda: "hunter22")) == "hunter22"
    ctx.log.bind(user="me").info("login", line="password hunter22 sent")
    assert ctx.log.lines[0].fields == {"user": "me", "line": "password [secret] sent"}


def test_poll_waits_on_the_clock_and_says_what_it_waited_for(tmp_path: Path) -> None:
    clock = clocks.FakeClock()
    ctx = phase_context.FakePhaseContext(tmp_path, clock=clock)
    with pytest.raises(errors.TimedOut, match=r"waited 5\.0 s for the moon"):
        ctx.poll(lambda: None, interval=timedelta(seconds=2), timeout=timedelta(seconds=5), describe="the moon")
    assert clock.monotonic() == 5.0
