"""Carries the conductor's commands out: most become events at once, some become calls in worker threads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import durations, errors, ids
from runner.engine import attempts, commands, commit, events, groups, inbox, invoke, resolve
from runner.engine.control import Control
from runner.engine.run_state import RunState
from runner.engine.runs import RunDirectory
from runner.engine.session import Session
from runner.engine.states import TERMINAL, NodeStatus, Stage
from runner.engine.workers import Workers
from runner.plan.plan import Retry

# How often a run asks for its concurrency group while another one has it.
_ADMISSION_EVERY_S = 0.5

Emit: TypeAlias = Callable[[events.Event], None]

# A lookup that cannot tell is asked again after these pauses; after that, a person has to.
_LOOK_PAUSES_S = (1.0, 5.0, 15.0, 60.0)


class Carrier:
    """Turns commands into events and attempts; events of attempts come back through the control."""

    def __init__(self, session: Session, under_way: attempts.Attempts, control: Control, emit: Emit) -> None:
        self._session = session
        self._state = session.state
        self._attempts = under_way
        self._control = control
        self._emit = emit
        self._clock = session.host.clock
        self._workers = Workers(self._defect)
        self._jobs: list[Callable[[], None]] = []
        self._looking: set[str] = set()
        self._committing = False
        self._next_admission = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether any call is under way."""
        return self._committing or bool(self._looking) or bool(self._jobs) or len(self._attempts) > 0

    def carry_out(self, command: commands.Command) -> None:
        """Carry one command out; calls are only prepared until `dispatch`."""
        match command:
            case commands.Start():
                self._start(command.node, command.attempt)
            case commands.Resolve():
                self._resolve(command.node)
            case commands.Admit():
                self._admit()
            case commands.LookFor():
                self._look_for(command.node)
            case commands.Interrupt():
                self._attempts.interrupt(command.node, command.reason)
            case commands.ScheduleRetry():
                self._schedule_retry(command.node)
            case commands.Commit():
                self._commit()
            case _:
                self._emit(self._event(command))

    def _event(self, command: commands.Command) -> events.Event:
        """Return the event that a command amounts to."""
        match command:
            case commands.Accept(node=node, how=how):
                state = self._state.nodes[node]
                return events.Succeeded(node=node, attempt=state.attempt, outputs=state.residue or {}, how=how)
            case commands.Pass(node=node):
                return self._passed(node)
            case commands.Expire(node=node):
                return self._failed(node, _expired())
            case commands.Doubt(node=node):
                return self._failed(node, self._state.nodes[node].error or _settled_as_failed())
            case commands.Fail(node=node):
                return events.Failed(node=node)
            case commands.Tolerate(node=node):
                return events.Tolerated(node=node)
            case commands.Cancel(node=node):
                return events.NodeCancelled(node=node)
            case commands.BeginCommit():
                return events.CommitStarted()
            case commands.Unwind(order=order):
                return events.Unwinding(order=order)
            case commands.Defer():
                return events.Deferring()
            case commands.Finish(status=status):
                return events.Finished(status=status)
        raise errors.RunnerError(f"{type(command).__name__} is not an event", code="RT901")

    def _passed(self, node: str) -> events.Succeeded:
        state = self._state.nodes[node]
        comment = state.approval.comment if state.approval else ""
        outputs = {"comment": comment} if state.gate and state.gate.gate == "approval" else {}
        return events.Succeeded(node=node, attempt=state.attempt, outputs=outputs, how="gate")

    def _failed(self, node: str, error: events.ErrorValue) -> events.AttemptFailed:
        return events.AttemptFailed(node=node, attempt=self._state.nodes[node].attempt, error=error)

    def dispatch(self) -> None:
        """Start the calls that were prepared; their events are durable by now."""
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            self._workers.submit(job)

    def _resolve(self, name: str) -> None:
        event = resolve.resolve(self._session, self._state.by_id[name])
        if event is None:
            self._start(name, 1)
        else:
            self._emit(event)

    def _admit(self) -> None:
        """Take the run's concurrency group, or say behind which run it waits."""
        now = self._clock.monotonic()
        if now < self._next_admission:
            return
        self._next_admission = now + _ADMISSION_EVERY_S
        concurrency = self._state.plan.concurrency
        busy = groups.admit(self._session.directory, concurrency.group, queue=concurrency.queue)
        if busy is None:
            self._emit(events.Admitted())
        elif not concurrency.queue:
            self._emit(events.Stopped(error=busy.error()))
        elif busy.message != self._state.behind:
            self._emit(events.Queued(message=busy.message, hint=busy.hint))

    def _start(self, name: str, number: int) -> None:
        self._emit(events.Started(node=name, attempt=number))
        node = self._state.by_id[name]
        under_way = self._attempts.begin(node, number)

        def call() -> None:
            event = invoke.attempt(self._session, node, number, under_way.token, self._warner(name))
            self._control.tell(lambda: self._ended(under_way, event))

        self._jobs.append(call)

    def _warner(self, name: str) -> Callable[[str], None]:
        return lambda message: self._control.tell(lambda: self._emit(events.Warned(node=name, message=message)))

    def _ended(self, under_way: attempts.Attempt, event: events.Event) -> None:
        if self._attempts.end(under_way):
            self._emit(event)
        elif isinstance(event, events.Succeeded) and self._wants_residue(under_way.node):
            self._emit(events.Residue(node=under_way.node, outputs=event.outputs))

    def _wants_residue(self, name: str) -> bool:
        """A late result matters while its node has not succeeded otherwise and the way forward is open."""
        return self._state.stage is Stage.FORWARD and self._state.nodes[name].status is not NodeStatus.SUCCEEDED

    def _look_for(self, name: str) -> None:
        if name in self._looking:
            return
        self._looking.add(name)
        node = self._state.by_id[name]
        token = cancels.CancelToken(self._clock)

        def call() -> None:
            found = invoke.look_for(self._session, node, token)
            self._control.tell(lambda: self._looked(name, found))

        self._jobs.append(call)

    def _looked(self, name: str, found: events.LookedFor | events.ErrorValue) -> None:
        self._looking.discard(name)
        if isinstance(found, events.LookedFor):
            self._emit(found)
            return
        failures = self._state.nodes[name].look_failures
        again = found.kind in ("transient", "timeout") and failures < len(_LOOK_PAUSES_S)
        until = self._in(_LOOK_PAUSES_S[failures]) if again else None
        self._emit(events.LookFailed(node=name, error=found, until=until))
        if not again:
            self._emit(events.Warned(node=name, message=f"looking for what it created failed: {found.message}"))

    def _schedule_retry(self, name: str) -> None:
        state = self._state.nodes[name]
        asked = state.error.retry_after if state.error else None
        pause = max(backoff(self._state.by_id[name].retry, state.retries, ids.random_fraction()), asked or 0.0)
        self._emit(events.RetryScheduled(node=name, until=self._in(pause)))

    def _commit(self) -> None:
        if self._committing:
            return
        self._committing = True

        def call() -> None:
            event = invoke.commit_guarded(self._session, lambda: commit.commit(self._session))
            self._control.tell(lambda: self._emit_commit(event))

        self._jobs.append(call)

    def _emit_commit(self, event: events.Event) -> None:
        self._committing = False
        self._emit(event)

    def _defect(self, defect: BaseException) -> None:
        def give_up() -> None:
            raise defect

        self._control.tell(give_up)

    def _in(self, seconds: float) -> str:
        return clocks.isoformat(self._clock.now() + timedelta(seconds=seconds))

    def close(self) -> None:
        """Let the worker threads end."""
        self._workers.close()


def take(ask: inbox.Ask, request: str, state: RunState, emit: Emit) -> bool:
    """Turn a request of another process into its event; tells whether it is done with.

    An approval that comes early stays until its phase asks for it; what does not fit any more is dropped and warned of.
    """
    match ask:
        case inbox.Cancel():
            emit(events.CancelRequested(request=request))
        case inbox.Approve(node=node, comment=comment) if _is(state, node, NodeStatus.WAITING):
            emit(events.Approved(node=node, comment=comment, request=request))
        case inbox.Approve(node=node) if node in state.nodes and state.nodes[node].status not in TERMINAL:
            return False
        case inbox.Settle(node=node, how=how) if _is(state, node, NodeStatus.IN_DOUBT):
            emit(events.Settled(node=node, how=how, request=request))
        case _:
            emit(events.Warned(node=ask.node, message="a request came for it that it was not waiting for"))
    return True


def _is(state: RunState, node: str, status: NodeStatus) -> bool:
    return node in state.nodes and state.nodes[node].status is status


def backoff(policy: Retry, retries: int, fraction: float) -> float:
    """Return the pause in seconds before the next attempt; `fraction` in [0, 1) places it within the jitter."""
    return policy.pause(retries) * (1 + policy.jitter * (2 * fraction - 1))


def timestamp(clock: clocks.Clock) -> str:
    """Return the wall time as records carry it."""
    return clocks.isoformat(clock.now())


def abandoned(attempt: attempts.Attempt) -> events.ErrorValue:
    """Return the error of an attempt that did not end."""
    reason = attempt.token.reason
    return events.ErrorValue(
        code="RT215",
        kind="cancelled" if reason is cancels.Reason.CANCELLED else "timeout",
        message=f"attempt {attempt.number} did not end when it was asked to",
        hint="look at what it waits for; its effects are unknown",
    )


def deadline(limit: timedelta) -> events.ErrorValue:
    """Return the error of a run that took too long."""
    return events.ErrorValue(
        code="RT202",
        kind="timeout",
        message=f"the action did not end within its time limit of {durations.text(limit)}",
        hint="raise the action's `timeout`, or look at the phase that took long",
    )


def full_disk(directory: RunDirectory) -> events.ErrorValue:
    """Return the error of a run whose journal cannot grow."""
    return events.ErrorValue(
        code="RT312",
        kind="permanent",
        message=f"the disk that holds {directory.path} is full",
        hint="free some space there, then start again; the run has been undone",
    )


def _expired() -> events.ErrorValue:
    return events.ErrorValue(
        code="RT209", kind="permanent", message="the approval was not given in time", hint="start the run again"
    )


def _settled_as_failed() -> events.ErrorValue:
    return events.ErrorValue(code="RT200", kind="permanent", message="it was settled as failed")
