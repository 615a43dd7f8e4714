"""Where a rehearsed run is driven: the engine's own drive, without threads, without waiting, without a disk.

The attempts of a turn are made one after the other, in the order in which they were started, and their results come in
in that order. Nothing happens at random, so a rehearsal always takes the same course.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from runner.base import cancel, clock, errors, ids, log, redact
from runner.base.jsonvalue import JsonObject
from runner.engine import attempts, carry, commands, drive, events, host, session
from runner.engine.control import Control
from runner.engine.journal import Journal
from runner.engine.request import Request
from runner.engine.runs import RunDirectory
from runner.engine.states import Stage as RunStage
from runner.registry import driver as drivers
from runner.registry import registry as registries
from runner.rehearsal.play import Lasting, Storing

Service = TypeVar("Service")


class Standstill(errors.RunnerError):
    """Nothing will ever happen any more, though attempts are under way."""


class Clock(clock.FakeClock):
    """Time that passes only while nothing else can happen."""

    def advance_to(self, moment: float) -> None:
        """Let time pass until a moment of the monotonic clock."""
        self.advance(max(0.0, moment - self.monotonic()))


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    call: Callable[[], None]
    token: cancel.CancelToken | None
    due: float | None


class Stage:
    """Makes calls here and now; those that last are made again when they are due, or asked to end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: list[_Held] = []

    def perform(self, call: Callable[[], None]) -> None:
        """Make a call; if what it stands for is not over, keep it."""
        try:
            call()
        except Lasting as lasting:
            self._held.append(_Held(call=call, token=lasting.token, due=lasting.due))

    def release(self) -> bool:
        """Make the calls again that are due or asked to end; tells whether there were any."""
        held, self._held = self._held, []
        ready = [self._is_ready(each) for each in held]
        for each, is_ready in zip(held, ready, strict=True):
            if is_ready:
                self.perform(each.call)
            else:
                self._held.append(each)
        return any(ready)

    def next_due(self) -> float | None:
        """Return the next moment at which a call is due."""
        return min((held.due for held in self._held if held.due is not None), default=None)

    def _is_ready(self, held: _Held) -> bool:
        is_asked = held.token is not None and held.token.reason is not None
        return is_asked or (held.due is not None and held.due <= self._clock.monotonic())


class _Carrier(carry.Carrier):
    """Makes its calls on the stage instead of in threads."""

    stage: Stage

    def dispatch(self) -> None:
        """Make the calls that were prepared."""
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            self.stage.perform(job)


class Crash(BaseException):
    """Ends a drive as `kill -9` does: nothing is left of it but the journal."""


class Drive(drive.Drive):
    """One drive of a rehearsed run.

    Args:
        about: What the drive shares.
        journal: Where its events go.
        control: Lets the caller cancel it.
        watch: Sees each event when it happens; says whether the runner is killed when the event has become durable.
    """

    _clock: Clock

    def __init__(
        self, about: session.Session, journal: Journal, control: Control, watch: Callable[[events.Event], bool]
    ) -> None:
        super().__init__(about, journal, control, attempts.GRACE)
        self._stage = Stage(self._clock)
        self._carrier = _Carrier(about, self._attempts, control, self.emit)
        self._carrier.stage = self._stage
        self._watch = watch

    def emit(self, event: events.Event) -> None:
        """Fold an event; nothing that follows it is left of a drive that is killed here."""
        super().emit(event)
        if self._watch(event):
            self._journal.append(self._unflushed)
            raise Crash

    def _wait(self, decision: commands.Decision) -> None:
        """Let time pass to the next moment at which something is due, unless something has happened already."""
        if self._unflushed or self._stage.release() or self._control.wake.is_set():
            return
        moments = [self._stage.next_due(), self._attempts.next_due(), self._wake_up(decision), self._deadline()]
        moment = min((moment for moment in moments if moment is not None), default=None)
        if moment is None:
            names = ", ".join(self._state.running)
            raise Standstill(f"{names} goes on for ever", hint="give the phase a `timeout`, or cancel the run")
        self._clock.advance_to(moment)
        self._stage.release()

    def _wake_up(self, decision: commands.Decision) -> float | None:
        if decision.wake_at is None:
            return None
        return self._clock.monotonic() + (decision.wake_at - self._clock.now()).total_seconds()

    def _deadline(self) -> float | None:
        limit = self._session.request.plan.timeout
        if limit is None or self._state.stage is not RunStage.FORWARD:
            return None
        return self._clock.monotonic() + limit.total_seconds() - self._active()


class Host:
    """The application of a rehearsal; satisfies `runner.engine.host.Host` and `RunServices` at once."""

    def __init__(
        self, registry: registries.Registry, start: datetime, redactor: redact.Redactor, storing: Storing
    ) -> None:
        self.clock = Clock(start)
        self.registry = registry
        self.redactor = redactor
        self.points: dict[str, host.PointDraft] = {}
        self._storing = storing

    def open(self, directory: RunDirectory, request: Request, token: str, logger: log.Logger) -> Host:
        """Return itself: there is nothing to open."""
        return self

    def service(self, kind: type[Service]) -> Service:
        """Refuse: a function that needs a service is played."""
        raise errors.RunnerError(f"a rehearsal has no {kind.__name__}", code="RT901")

    def driver(self, name: str) -> drivers.SnapshotDriver:
        """Refuse: a function that needs a driver is played."""
        raise errors.RunnerError(f"a rehearsal has no storage driver {name}", code="RT901")

    def base_export(self, phase: str, key: str, source: str) -> ids.ExportId | None:
        """Return None: there is no earlier export."""
        return None

    def store_restore_point(self, draft: host.PointDraft) -> JsonObject:
        """Keep the draft, unless the rehearsal states that this fails."""
        self._storing.attempt()
        self.points[draft.token] = draft
        sizes = {name: _total(draft, name) for name in ("bytesRead", "bytesNew", "bytesStored")}
        return {"id": draft.token[:16], "location": "", **sizes}

    def has_restore_point(self, token: str) -> bool:
        """Tell whether the draft was kept."""
        return token in self.points

    def close(self, *, release: bool) -> None:
        """Do nothing."""


def _total(draft: host.PointDraft, name: str) -> int:
    sizes = (export.outputs[name] for export in draft.exports)
    return sum(size for size in sizes if isinstance(size, int))
