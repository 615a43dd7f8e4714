"""What the engine needs of the application around it (`runner.app` provides it), and what it tells an onlooker."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from runner.base import clock, ids, log, redact
from runner.base.jsonvalue import JsonObject
from runner.engine import events
from runner.engine.progress import Progress
from runner.engine.request import Request
from runner.engine.run_state import RunState
from runner.engine.runs import RunDirectory
from runner.registry import driver as drivers
from runner.registry import registry as registries

Service = TypeVar("Service")


class ExportDraft(msgspec.Struct, frozen=True, kw_only=True):
    """One export of the run, as its phase returned it."""

    phase: str
    key: str
    function: str
    outputs: JsonObject


class PointDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A restore point to be stored; equal drafts of one run give the same restore point.

    Attributes:
        token: 32 base32 characters, equal over all attempts to store this run's restore point.
        created: When the run was started; the store moves it forward if a newer restore point exists.
    """

    token: str
    run: ids.RunId
    created: datetime
    request: Request
    artifacts: JsonObject
    exports: tuple[ExportDraft, ...]


class RunServices(Protocol):
    """What one run works with; opened when somebody drives it, closed when they stop."""

    def service(self, kind: type[Service]) -> Service:
        """Return the run's instance of a service, made at first use; safe from any thread."""

    def driver(self, name: str) -> drivers.SnapshotDriver:
        """Return a storage driver."""

    def base_export(self, phase: str, key: str, source: str) -> ids.ExportId | None:
        """Return the parent of an incremental export, if there is one."""

    def store_restore_point(self, draft: PointDraft) -> JsonObject:
        """Store the restore point durably, or find that it is stored already.

        Returns:
            What `result.RunResult` shows: `id`, `location`, `bytesRead`, `bytesNew`, `bytesStored`.
        """

    def has_restore_point(self, token: str) -> bool:
        """Tell whether the restore point of a draft with this token is stored."""

    def close(self, *, release: bool) -> None:
        """Give back everything; nothing of the run is under way any more.

        Args:
            release: Whether the run has ended, and may have exported something that only a restore point keeps now.
        """


class Host(Protocol):
    """The application, seen from the engine."""

    @property
    def clock(self) -> clock.Clock:
        """The time."""

    @property
    def registry(self) -> registries.Registry:
        """The functions."""

    @property
    def redactor(self) -> redact.Redactor:
        """Where revealed secrets are remembered."""

    def open(self, directory: RunDirectory, request: Request, token: str, logger: log.Logger) -> RunServices:
        """Open what a run works with; `token` marks all its processes."""


class Observer(Protocol):
    """Is told what happens; called from the driver's thread, except `on_progress`, which comes from any."""

    def on_event(self, record: events.Record, state: RunState) -> None:
        """See an event after it is durable and folded."""

    def on_progress(self, progress: Progress) -> None:
        """See how far an attempt is."""


class Silent:
    """Looks away."""

    def on_event(self, record: events.Record, state: RunState) -> None:
        """Ignore the event."""

    def on_progress(self, progress: Progress) -> None:
        """Ignore the progress."""
