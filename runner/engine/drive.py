"""Drives one run: asks the conductor, carries its commands out, journals what became of them, until nothing is left.

One thread, the caller's, owns state and journal. Worker threads make the attempts and hand their events over. Events
that come together are flushed together, and nothing is started or shown before its events are durable.
"""

from __future__ import annotations

import os
import platform
from datetime import timedelta

from runner.base import errors, log
from runner.engine import (
    attempts,
    carry,
    commands,
    conductor,
    events,
    groups,
    host,
    inbox,
    journal_file,
    known_secrets,
    runs,
    session,
)
from runner.engine.control import Control
from runner.engine.journal import Journal, JournalFailed
from runner.engine.run_state import RunState
from runner.engine.states import Stage
from runner.processes import recovery

_INBOX_EVERY_S = 0.2


def drive(
    directory: runs.RunDirectory,
    application: host.Host,
    observer: host.Observer | None = None,
    control: Control | None = None,
    *,
    grace: timedelta = attempts.GRACE,
) -> RunState:
    """Drive a run until it has ended, waits for nobody but a person, or is stopped.

    Args:
        directory: The run; what its journal holds is where the drive goes on.
        application: What the run works with.
        observer: Is told what happens.
        control: Lets the caller cancel or stop the drive.
        grace: How long an attempt may take to end after it was asked to.

    Returns:
        The state at the end of the drive.

    Raises:
        EnvironmentProblem: RT211 if somebody else drives the run.
        JournalFailed: RT214; the run can be resumed once the disk is mended.
        JournalDamaged: RT213.
    """
    with directory.lock():
        journal = journal_file.FileJournal(directory.journal)
        try:
            state = runs.fold(directory, journal.records)
            if not state.is_finished:
                _open_and_run(
                    directory, application, observer or host.Silent(), control or Control(), state, journal, grace
                )
        finally:
            journal.close()
        if state.is_finished:
            directory.clear_transient()
            if state.plan.concurrency.group:
                groups.release(directory, state.plan.concurrency.group)
    return state


def _open_and_run(
    directory: runs.RunDirectory,
    application: host.Host,
    observer: host.Observer,
    control: Control,
    state: RunState,
    journal: Journal,
    grace: timedelta,
) -> None:
    created = state.created
    if created is None:
        raise errors.RunnerError("a state without its creation is driven", code="RT901")
    request, token = directory.request(created), session.run_token(created)
    recovery.settle(directory.processes, token, application.clock)
    with open(directory.log, "ab", buffering=0, opener=_private) as stream:
        logger = log.FileLogger(stream, application.clock, application.redactor).bind(run=directory.id)
        services = application.open(directory, request, token, logger)
        try:
            about = session.Session(
                directory=directory,
                request=request,
                created=created,
                state=state,
                host=application,
                services=services,
                logger=logger,
                observer=observer,
            )
            known_secrets.learn(about)
            Drive(about, journal, control, grace).run()
        finally:
            services.close(release=state.is_finished and _may_have_exported(state))


def _may_have_exported(state: RunState) -> bool:
    return any(state.by_id[name].exports for name in state.started)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Drive:
    """One drive of one run."""

    def __init__(self, about: session.Session, journal: Journal, control: Control, grace: timedelta) -> None:
        self._session = about
        self._state = about.state
        self._journal = journal
        self._control = control
        self._clock = about.host.clock
        self._attached = self._clock.monotonic()
        self._next_look = 0.0
        self._unflushed: list[events.Record] = []
        self._consumed: list[str] = []
        self._attempts = attempts.Attempts(self._clock, grace)
        self._carrier = carry.Carrier(about, self._attempts, control, self.emit)

    def run(self) -> None:
        """Go on until the run has ended, only persons are waited for, or somebody stops the drive."""
        self.emit(events.Attached(pid=os.getpid(), host=platform.node()))
        for name in list(self._state.running):
            self.emit(events.InDoubt(node=name, attempt=self._state.nodes[name].attempt))
        try:
            while not self._control.stop_wanted:
                decision = self._turn()
                if self._state.is_finished or (self._is_waiting_for_persons(decision) and not self._was_asked()):
                    return
                self._wait(decision)
        except JournalFailed:
            self._attempts.interrupt_all()
            raise
        finally:
            self._carrier.close()

    def emit(self, event: events.Event) -> None:
        """Fold an event; it is made durable and shown at the end of the turn."""
        record = events.Record(
            seq=self._state.seq + 1,
            at=carry.timestamp(self._clock),
            elapsed=round(self._clock.monotonic() - self._attached, 6),
            event=event,
        )
        self._state.apply(record)
        self._unflushed.append(record)

    def _turn(self) -> commands.Decision:
        """Take in what happened, decide until there is nothing more to decide, flush, then start what was decided."""
        for call in self._control.take():
            call()
        self._take_requests()
        self._check_limits()
        while True:
            seen = self._state.seq
            decision = conductor.decide(self._state, self._clock.now(), width=self._state.plan.concurrency.max_parallel)
            for command in decision.commands:
                self._carrier.carry_out(command)
            if self._state.seq == seen:
                break
        self._flush()
        self._carrier.dispatch()
        return decision

    def _flush(self) -> None:
        group, self._unflushed = self._unflushed, []
        if group:
            self._journal.append(group)
        for request in self._consumed:
            inbox.remove(self._session.directory.inbox, request)
        self._consumed.clear()
        for record in group:
            self._session.observer.on_event(record, self._state)

    def _take_requests(self) -> None:
        if self._control.cancel_wanted and not self._state.cancel_requested:
            self._control.cancel_wanted = False
            self.emit(events.CancelRequested(request="signal"))
        now = self._clock.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _INBOX_EVERY_S
        for request, ask in inbox.pending(self._session.directory.inbox):
            if request in self._state.requests or carry.take(ask, request, self._state, self.emit):
                self._consumed.append(request)

    def _check_limits(self) -> None:
        for attempt in self._attempts.overdue():
            self.emit(events.InDoubt(node=attempt.node, attempt=attempt.number, error=carry.abandoned(attempt)))
        if self._state.stage is Stage.FORWARD and not self._state.is_stopping:
            limit = self._session.request.plan.timeout
            if limit is not None and self._active() >= limit.total_seconds():
                self.emit(events.Stopped(error=carry.deadline(limit)))
            elif self._journal.is_full:
                self.emit(events.Stopped(error=carry.full_disk(self._session.directory)))

    def _active(self) -> float:
        """Return the seconds that count towards the deadline: somebody drove the run, and it had its group."""
        if not self._state.is_admitted:
            return 0.0
        return self._state.active_before + self._clock.monotonic() - self._attached - self._state.queued

    def _is_waiting_for_persons(self, decision: commands.Decision) -> bool:
        busy = self._state.running or self._carrier.is_busy
        return bool(decision.persons) and not busy and decision.wake_at is None and not decision.commands

    def _was_asked(self) -> bool:
        """Look into the inbox once more before leaving; tells whether there was word for this run."""
        self._next_look = 0.0
        self._take_requests()
        return bool(self._unflushed)

    def _wait(self, decision: commands.Decision) -> None:
        """Wait for an attempt, a request or the next moment at which something is due."""
        now = self._clock.monotonic()
        pauses = [_INBOX_EVERY_S]
        if decision.wake_at is not None:
            pauses.append((decision.wake_at - self._clock.now()).total_seconds())
        due = self._attempts.next_due()
        if due is not None:
            pauses.append(due - now)
        limit = self._session.request.plan.timeout
        if limit is not None and self._state.stage is Stage.FORWARD:
            pauses.append(limit.total_seconds() - self._active())
        self._clock.wait(self._control.wake, 0.0 if self._unflushed else max(0.0, min(pauses)))
