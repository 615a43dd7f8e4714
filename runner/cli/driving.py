"""Drive a run in the foreground: the display, Ctrl-C, and what is said at the end."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import FrameType

from runner.app import application as applications
from runner.app import services
from runner.base import codes, errors, suggest
from runner.cli import console as consoles
from runner.cli import failures, follow_ups, progress, report, restoring
from runner.engine import control as controls
from runner.engine import drive as drives
from runner.engine import inbox, result
from runner.engine.runs import RunDirectory
from runner.engine.states import RunStatus
from runner.plan.plan import Plan

_LOOK_EVERY_S = 0.1
_PATIENCE_S = 2.0


def drive(
    console: consoles.Console, app: applications.Application, directory: RunDirectory, plan: Plan
) -> result.RunResult:
    """Drive a run until it ends, waits for a person, or is stopped; print the outcome and return it.

    Raises:
        EnvironmentProblem: RT211 if another process drives it.
    """
    control = controls.Control()
    with interruptible(control), progress.watch(console, directory, plan, app.clock) as observer:
        state = drives.drive(directory, services.Host(app), observer, control)
    outcome = result.of_state(directory.id, state, app.clock.now(), driven=False)
    tell(console, outcome, restoring.command(console, state))
    return outcome


def ask(
    console: consoles.Console, app: applications.Application, directory: RunDirectory, asks: Sequence[inbox.Ask]
) -> result.RunResult | None:
    """Leave requests for the driver of a run; without a driver, drive it here.

    Returns:
        The outcome if it was driven here, None if another process goes on with it.

    Raises:
        UsageError: RT212 if the run has ended.
    """
    state = directory.state()
    if state.is_finished:
        raise errors.UsageError(
            f"run {directory.id} has already ended: {state.finished}",
            code="RT212",
            hint=f"see `runner show {directory.id}`",
        )
    left = {inbox.post(directory.inbox, each) for each in asks}
    patience = app.clock.monotonic() + _PATIENCE_S
    while left or not asks:
        try:
            return drive(console, app, directory, state.plan)
        except errors.EnvironmentProblem as error:
            if error.code != "RT211" or not asks:
                raise
        # The driver may be on its way out: then the requests stay, and the lock is free in a moment.
        app.clock.wait(threading.Event(), _LOOK_EVERY_S)
        left &= {request for request, _ in inbox.pending(directory.inbox)}
        if app.clock.monotonic() > patience:
            break
    told = f"told the process that drives run {directory.id}; follow it with: runner logs {directory.id} -f"
    console.note(follow_ups.here(console.settings, told))
    return None


def check_node(directory: RunDirectory, name: str) -> None:
    """Refuse the name of a phase that the run does not have.

    Raises:
        UsageError: RT101, with the closest name.
    """
    names = list(directory.state().nodes)
    if name not in names:
        raise errors.UsageError(f'run {directory.id} has no phase "{name}"', hint=suggest.hint(name, names))


def check_waits(directory: RunDirectory, name: str, now: datetime) -> None:
    """Refuse to approve what does not wait for an approval, unless the run is driven and may get there.

    Raises:
        UsageError: RT101.
    """
    check_node(directory, name)
    outcome = result.load(directory, now)
    if name not in outcome.persons and not directory.is_driven and outcome.finished_at is None:
        raise errors.UsageError(
            f'the phase "{name}" of run {directory.id} does not wait for an approval',
            hint=suggest.hint(name, outcome.persons) if outcome.persons else f"see `runner show {directory.id}`",
        )


@contextlib.contextmanager
def interruptible(control: controls.Control) -> Iterator[None]:
    """Let the first Ctrl-C (or SIGTERM) cancel in order, and the second stop at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if control.cancel_wanted or asked:
            control.stop()
        asked.append(number)
        control.cancel()

    asked: list[int] = []
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(console: consoles.Console, run: result.RunResult, restore: str | None) -> None:
    """Print what a run has come to: the result on standard output, what went wrong on standard error."""
    if not console.is_text:
        console.result(run.to_json(), lambda: ())
        if run.status is RunStatus.INTERRUPTED:
            failures.show(console, _stopped(run))
        elif run.error is not None:
            console.err.line(json.dumps({"error": run.to_json()["run"]["error"]}, ensure_ascii=False))  # type: ignore[index, call-overload]
    elif run.status is RunStatus.SUCCEEDED:
        for line in report.outcome(console, run, restore):
            console.out.line(line)
    else:
        for line in _trouble(console, run):
            console.err.line(line)


def _trouble(console: consoles.Console, run: result.RunResult) -> Iterator[str]:
    for node, error in run.failures:
        yield from failures.journalled(console, console.err, node, error)
    yield from report.undone(run)
    match run.status:
        case RunStatus.WAITING:
            yield f"Run {run.id} waits for a person"
            yield from (follow_ups.here(console.settings, line) for line in report.waits(run))
        case RunStatus.INTERRUPTED:
            yield from failures.lines(console, _stopped(run))
            yield from report.left(run)
            yield from (follow_ups.here(console.settings, line) for line in report.going_on(run))
        case _:
            ended = f"Run {run.id} {run.status}; its log: runner logs {run.id}"
            yield follow_ups.here(console.settings, ended)


def _stopped(run: result.RunResult) -> errors.RunnerError:
    return errors.RunnerError(f"run {run.id} was stopped before its end", code="RT218")


def exit_of(outcome: result.RunResult | None) -> codes.Exit:
    """Return the exit code of what a drive has come to."""
    return codes.Exit.OK if outcome is None else outcome.exit
