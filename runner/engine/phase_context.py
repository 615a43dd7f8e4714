"""The concrete `PhaseContext`: one attempt, seen from inside its function."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import ids, log, polling, secret
from runner.engine.progress import Progress
from runner.engine.session import Session
from runner.plan.plan import PlanNode
from runner.registry import driver as drivers

Service = TypeVar("Service")
Polled = TypeVar("Polled")

_PROGRESS_EVERY_S = 0.1


class Context:
    """Implements `runner.registry.context.PhaseContext`.

    Args:
        session: The drive.
        node: The node whose function is called.
        attempt: Number of the attempt.
        cancel: Its token.
        warn: Takes the warnings.
    """

    def __init__(
        self,
        session: Session,
        node: PlanNode,
        attempt: int,
        cancel: cancels.CancelToken,
        warn: Callable[[str], None],
    ) -> None:
        self._session = session
        self._node = node
        self._warn = warn
        self._lock = threading.Lock()
        self._next_report = 0.0
        self.attempt = attempt
        self.cancel = cancel
        self.log: log.Logger = session.logger.bind(phase=node.id, attempt=attempt)

    @property
    def run_id(self) -> ids.RunId:
        """The run."""
        return self._session.directory.id

    @property
    def blueprint(self) -> str:
        """The blueprint's name."""
        return self._session.request.plan.blueprint

    @property
    def object(self) -> str | None:
        """The object of the run."""
        return self._session.request.object_name

    @property
    def action(self) -> str:
        """The action."""
        return self._session.request.plan.action

    @property
    def phase(self) -> str:
        """The node."""
        return self._node.id

    @property
    def key(self) -> str:
        """The key of an instance."""
        return self._node.key

    @property
    def token(self) -> str:
        """The node's token."""
        return self._session.token(self._node.id)

    @property
    def started_at(self) -> datetime:
        """When the run was started."""
        return self._session.started_at

    @property
    def clock(self) -> clocks.Clock:
        """The time."""
        return self._session.host.clock

    @property
    def work(self) -> Path:
        """The node's private directory, made at first use."""
        path = self._session.directory.work / self._node.id
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    @property
    def overwrite(self) -> bool:
        """Whether existing data may be written over."""
        return self._session.request.overwrite

    @property
    def declared_outputs(self) -> dict[str, bool]:
        """The declared outputs, and whether each is secret."""
        return {name: declared.secret for name, declared in self._node.outputs.items()}

    def progress(self, completed: int, total: int | None, unit: str, description: str = "") -> None:
        """Pass a report on, at most ten a second and always the last one."""
        now = self.clock.monotonic()
        with self._lock:
            if now < self._next_report and completed != total:
                return
            self._next_report = now + _PROGRESS_EVERY_S
        self._session.observer.on_progress(
            Progress(node=self._node.id, completed=completed, total=total, unit=unit, description=description)
        )

    def warn(self, message: str) -> None:
        """Add a warning to the result of the run."""
        self._warn(self._session.host.redactor.clean(message))

    def reveal(self, value: str | secret.Secret) -> str:
        """Return the text of a secret, and remember it for redaction."""
        if isinstance(value, str):
            return value
        text = value.reveal()
        self._session.host.redactor.learn(text)
        return text

    def service(self, kind: type[Service]) -> Service:
        """Return the run's instance of a service."""
        return self._session.services.service(kind)

    def driver(self, name: str) -> drivers.SnapshotDriver:
        """Return a storage driver."""
        return self._session.services.driver(name)

    def base_export(self, source: str) -> ids.ExportId | None:
        """Return the parent of an incremental export."""
        return self._session.services.base_export(self._node.name, self.key, source)

    def poll(
        self, until: Callable[[], Polled | None], *, interval: timedelta, timeout: timedelta, describe: str
    ) -> Polled:
        """Call `until` with jittered pauses until it returns something else than None."""
        self.log.debug("poll.waiting", describe=describe)
        return polling.poll(
            until, interval=interval, timeout=timeout, describe=describe, clock=self.clock, cancel=self.cancel
        )
