"""A phase context for tests of functions: real cancel token, clock and redaction; everything else is held in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import errors, ids, polling, redact, secret, temporary
from runner.registry import driver as drivers

Service = TypeVar("Service")
Polled = TypeVar("Polled")


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line that a function logged, already redacted."""

    level: str
    event: str
    fields: Mapping[str, object]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One report of progress."""

    completed: int
    total: int | None
    unit: str
    description: str


class MemoryLogger:
    """Keeps redacted lines in a list that all loggers bound from it share."""

    def __init__(
        self,
        redactor: redact.Redactor,
        lines: list[LogLine] | None = None,
        bound: Mapping[str, object] | None = None,
    ) -> None:
        self.lines: list[LogLine] = [] if lines is None else lines
        self._redactor = redactor
        self._bound = dict(bound or {})

    def debug(self, event: str, **fields: object) -> None:
        """Keep a line of level debug."""
        self._keep("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Keep a line of level info."""
        self._keep("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Keep a line of level warning."""
        self._keep("warning", event, fields)

    def bind(self, **fields: object) -> MemoryLogger:
        """Return a logger on the same list with more fields."""
        return MemoryLogger(self._redactor, self.lines, {**self._bound, **fields})

    def _keep(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        cleaned = {
            name: self._redactor.clean(value) if isinstance(value, str) else value
            for name, value in {**self._bound, **fields}.items()
        }
        self.lines.append(LogLine(level=level, event=event, fields=cleaned))


class FakePhaseContext:
    """One attempt of one phase for a test; satisfies `PhaseContext`, and shows what the function reported.

    Args:
        work: The phase's private directory; made if it is missing.
        clock: The time; the machine's own by default.
        services: What `service(kind)` returns, by class; temporary space has no limit unless it is among them.
        storage: Drivers by name.
        bases: What `base_export(source)` returns, by source.
        declared_outputs: The outputs that the phase declares, and whether each is secret.
    """

    def __init__(
        self,
        work: Path,
        *,
        clock: clocks.Clock | None = None,
        services: Mapping[type, object] | None = None,
        storage: Mapping[str, drivers.SnapshotDriver] | None = None,
        bases: Mapping[str, ids.ExportId] | None = None,
        action: str = "backup",
        phase: str = "phase",
        attempt: int = 1,
        overwrite: bool = False,
        declared_outputs: Mapping[str, bool] | None = None,
    ) -> None:
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.work = work
        self.clock: clocks.Clock = clock or clocks.SystemClock()
        self.cancel = cancels.CancelToken(self.clock)
        self.redactor = redact.Redactor()
        self.log = MemoryLogger(self.redactor)
        self.services: dict[type, object] = {temporary.TemporarySpace: temporary.TemporarySpace(), **(services or {})}
        self.drivers = dict(storage or {})
        self.bases = dict(bases or {})
        self.run_id = ids.RunId("testrun0")
        self.blueprint = "test"
        self.object: str | None = None
        self.action = action
        self.phase = phase
        self.key = ""
        self.attempt = attempt
        self.overwrite = overwrite
        self.declared_outputs = dict(declared_outputs or {})
        self.started_at: datetime = self.clock.now()
        self.reports: list[Progress] = []
        self.warnings: list[str] = []

    @property
    def token(self) -> str:
        """Equal for equal run, action, phase and key."""
        return ids.token(self.run_id, self.action, self.phase, self.key)

    def progress(self, completed: int, total: int | None, unit: str, description: str = "") -> None:
        """Keep a report of progress."""
        self.reports.append(Progress(completed=completed, total=total, unit=unit, description=description))

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)

    def reveal(self, value: str | secret.Secret) -> str:
        """Return the text of a secret and learn it for redaction."""
        if isinstance(value, str):
            return value
        revealed = value.reveal()
        self.redactor.learn(revealed)
        return revealed

    def service(self, kind: type[Service]) -> Service:
        """Return the service of this class that the test passed in."""
        found = self.services.get(kind)
        if not isinstance(found, kind):
            raise LookupError(f"the test passed no service of class {kind.__name__}")
        return found

    def driver(self, name: str) -> drivers.SnapshotDriver:
        """Return the driver of this name that the test passed in."""
        found = self.drivers.get(name)
        if found is None:
            raise errors.EnvironmentProblem(f'there is no storage driver "{name}"', code="RT305")
        return found

    def base_export(self, source: str) -> ids.ExportId | None:
        """Return the export that the test named as the base of this source."""
        return self.bases.get(source)

    def poll(
        self, until: Callable[[], Polled | None], *, interval: timedelta, timeout: timedelta, describe: str
    ) -> Polled:
        """Call `until` with pauses, on this context's clock, until it returns something else than None."""
        return polling.poll(
            until, interval=interval, timeout=timeout, describe=describe, clock=self.clock, cancel=self.cancel
        )
