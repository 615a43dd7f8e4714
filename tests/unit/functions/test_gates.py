"""AssertThat, Approve and Pause."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from runner.base import clock as clocks
from runner.base import errors
from runner.functions import approve, assert_that, pause
from runner.registry import argdecode, context
from runner.testing import phase_context


@pytest.fixture
def ctx(tmp_path: Path) -> phase_context.FakePhaseContext:
    return phase_context.FakePhaseContext(tmp_path, clock=clocks.FakeClock(), phase="check")


def test_an_assertion_that_holds_says_nothing(ctx: phase_context.FakePhaseContext) -> None:
    assert assert_that.assert_that.call(ctx, argdecode.decode(assert_that.assert_that, {"that": True})) is None


def test_an_assertion_that_does_not_hold_fails_with_its_message(ctx: phase_context.FakePhaseContext) -> None:
    arguments = argdecode.decode(assert_that.assert_that, {"that": False, "message": "the dump is empty"})
    with pytest.raises(errors.PermanentError, match=r"^the dump is empty$") as caught:
        assert_that.assert_that.call(ctx, arguments)
    assert caught.value.code == "RT208"
    assert "check" in caught.value.hint


@pytest.mark.parametrize("wrong", ["true", 1, None])
def test_an_assertion_takes_nothing_but_true_and_false(wrong: object) -> None:
    with pytest.raises(errors.PermanentError, match="true or false"):
        argdecode.decode(assert_that.assert_that, {"that": wrong})


def test_an_approval_expires_when_it_says_so(ctx: phase_context.FakePhaseContext) -> None:
    assert isinstance(ctx.clock, clocks.FakeClock)
    ctx.clock.advance(60)
    arguments = argdecode.decode(approve.approve, {"message": "Write over it?", "expiresAfter": "24h"})
    gate = approve.approve.call(ctx, arguments)
    assert isinstance(gate, context.Approval)
    assert gate.message == "Write over it?"
    assert gate.expires_at == ctx.started_at + timedelta(hours=24, minutes=1)


def test_an_approval_without_limit_never_expires(ctx: phase_context.FakePhaseContext) -> None:
    gate = approve.approve.call(ctx, argdecode.decode(approve.approve, {"message": "Go on?"}))
    assert isinstance(gate, context.Approval)
    assert gate.expires_at is None


def test_a_pause_ends_at_a_moment_of_the_wall_clock(ctx: phase_context.FakePhaseContext) -> None:
    gate = pause.pause.call(ctx, argdecode.decode(pause.pause, {"duration": "1m30s"}))
    assert isinstance(gate, context.Until)
    assert gate.moment == ctx.started_at + timedelta(seconds=90)


def test_what_a_person_says_with_an_approval_is_an_output_of_every_function_that_asks() -> None:
    assert list(approve.approve.outputs.model_fields) == ["comment"]
    assert list(pause.pause.outputs.model_fields) == []
