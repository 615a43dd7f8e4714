"""An application for tests of runs: services and drivers from dictionaries, restore points in a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from runner.base import clock as clocks
from runner.base import errors, ids, log, redact
from runner.base.jsonvalue import JsonObject
from runner.engine import host
from runner.engine.request import Request
from runner.engine.runs import RunDirectory
from runner.registry import driver as drivers
from runner.registry import registry as registries

Service = TypeVar("Service")


class MemoryHost:
    """Satisfies `runner.engine.host.Host`; `points` holds the drafts of the stored restore points by token."""

    def __init__(
        self,
        registry: registries.Registry,
        *,
        clock: clocks.Clock | None = None,
        services: Mapping[type, object] | None = None,
    ) -> None:
        self.clock: clocks.Clock = clock or clocks.SystemClock()
        self.registry = registry
        self.redactor = redact.Redactor()
        self.services = dict(services or {})
        self.points: dict[str, host.PointDraft] = {}
        self.store_failures: list[errors.RunnerError] = []
        self.opened = 0

    def open(self, directory: RunDirectory, request: Request, token: str, logger: log.Logger) -> MemoryServices:
        """Open the services of a run."""
        self.opened += 1
        return MemoryServices(self)


class MemoryServices:
    """Satisfies `runner.engine.host.RunServices`."""

    def __init__(self, application: MemoryHost) -> None:
        self._application = application

    def service(self, kind: type[Service]) -> Service:
        """Return a service that the test provided."""
        return cast(Service, self._application.services[kind])

    def driver(self, name: str) -> drivers.SnapshotDriver:
        """Make a driver of the registry."""
        return self._application.registry.drivers[name]()

    def base_export(self, phase: str, key: str, source: str) -> ids.ExportId | None:
        """Return None: there is never an earlier export."""
        return None

    def store_restore_point(self, draft: host.PointDraft) -> JsonObject:
        """Keep the draft once, after raising what the test asked for."""
        if self._application.store_failures:
            raise self._application.store_failures.pop(0)
        self._application.points.setdefault(draft.token, draft)
        sizes: dict[str, Any] = {"bytesRead": 0, "bytesNew": 0, "bytesStored": 0}
        return {"id": draft.token[:8], "location": "memory://test", **sizes}

    def has_restore_point(self, token: str) -> bool:
        """Tell whether the draft was kept."""
        return token in self._application.points

    def close(self, *, release: bool) -> None:
        """Do nothing."""
