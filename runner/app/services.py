"""What runs get from the application: the `Host` of the engine and the services of one run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from runner.app import application, restore_points
from runner.base import clock as clocks
from runner.base import errors, ids, log, own_places, redact, suggest, temporary
from runner.base.jsonvalue import JsonObject
from runner.engine import host, runs
from runner.engine.request import Request
from runner.locations import limited
from runner.params import locations
from runner.processes import commands
from runner.registry import driver as drivers
from runner.registry import plugins, registry
from runner.repository import repository as repositories

Service = TypeVar("Service")


class Host:
    """The application as the engine sees it."""

    def __init__(self, app: application.Application) -> None:
        self._app = app

    @property
    def clock(self) -> clocks.Clock:
        """The time."""
        return self._app.clock

    @property
    def registry(self) -> registry.Registry:
        """The functions."""
        return self._app.registry

    @property
    def redactor(self) -> redact.Redactor:
        """Where revealed secrets are remembered."""
        return self._app.redactor

    def open(self, directory: runs.RunDirectory, request: Request, token: str, logger: log.Logger) -> host.RunServices:
        """Open what a run works with; nothing is contacted before it is needed."""
        return Services(self._app, directory, request, token)


class Services:
    """Everything that one run works with; each part is opened at first use, once, from whatever thread comes first."""

    def __init__(
        self, app: application.Application, directory: runs.RunDirectory, request: Request, token: str
    ) -> None:
        self._app = app
        self._run = directory.id
        self._request = request
        self._target = locations.from_json(request.location)
        self._lock = threading.RLock()
        self._opened: dict[object, Any] = {}
        self._makers: Mapping[type[Any], Callable[[], Any]] = {
            repositories.Repository: self._open_repository,
            commands.Commands: lambda: commands.Commands(directory.processes, token, app.clock),
            temporary.TemporarySpace: self._make_temporary_space,
            own_places.OwnPlaces: lambda: app.own_places(self._target),
        }

    def service(self, kind: type[Service]) -> Service:
        """Return the run's instance of a service."""
        return cast(Service, self._once(kind, self._makers[kind]))

    def driver(self, name: str) -> drivers.SnapshotDriver:
        """Return a storage driver.

        Raises:
            EnvironmentProblem: RT305 if there is none of that name, RT902 if its plugin cannot be loaded.
        """
        known = self._app.registry.drivers
        if name not in known:
            raise plugins.missing(name, plugins.DRIVERS, self._app.plugins) or errors.EnvironmentProblem(
                f'there is no storage driver "{name}"', code="RT305", hint=suggest.hint(name, known)
            )
        return cast(drivers.SnapshotDriver, self._once(("driver", name), lambda: self._made(known[name]())))

    def _made(self, driver: drivers.SnapshotDriver) -> drivers.SnapshotDriver:
        """Finish a driver: what makes copies keeps to the limit, and must not copy what is the runner's own."""
        if isinstance(driver, drivers.MakesCopies):
            return driver.making_copies(
                leaving_out=self.service(own_places.OwnPlaces), within=self.service(temporary.TemporarySpace)
            )
        return driver

    def base_export(self, phase: str, key: str, source: str) -> ids.ExportId | None:
        """Return what the latest restore point of the same blueprint and object has of a source."""
        subject = restore_points.Subject.of(self._request)
        return restore_points.base_export(self._repository, subject, phase=phase, key=key, source=source)

    def store_restore_point(self, draft: host.PointDraft) -> JsonObject:
        """Store the restore point durably, or find that it is stored already."""
        point = restore_points.store(self._repository, draft)
        return restore_points.summary(point, self._target)

    def has_restore_point(self, token: str) -> bool:
        """Tell whether the restore point of a draft with this token is stored."""
        return restore_points.exists(self._repository, restore_points.id_of(token))

    def close(self, *, release: bool) -> None:
        """Close what was opened; exports that are released are kept by the restore point of the run alone."""
        with self._lock:
            opened, self._opened = self._opened, {}
        running = opened.get(commands.Commands)
        if running is not None:
            running.close()
        if release:
            self._release(opened.get(repositories.Repository))

    def _release(self, opened: repositories.Repository | None) -> None:
        """Release the exports, also those of earlier drives; how the run has ended does not depend on it."""
        try:
            # Nobody is asked for a passphrase: a run that is given up must end without a person.
            repository = opened or self._app.open_repository(self._target, ask=False)
            repository.release_exports(self._run)
        except errors.RunnerError as error:
            if error.code != "RT410":  # without a repository there are no marks
                self._app.note(_kept(self._run, error))

    @property
    def _repository(self) -> repositories.Repository:
        return self.service(repositories.Repository)

    def _open_repository(self) -> repositories.Repository:
        if not any(node.exports for node in self._request.plan.nodes):
            return self._app.open_repository(self._target)
        opened = self._app.provide_repository(self._target)
        opened.keep_exports(self._run)
        return opened

    def _make_temporary_space(self) -> temporary.TemporarySpace:
        limits = limited.limits_of(self._target.spec)
        return temporary.TemporarySpace(None if limits is None else limits.temporary)

    def _once(self, key: object, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._opened:
                self._opened[key] = make()
            return self._opened[key]


def _kept(run: str, error: errors.RunnerError) -> str:
    return (
        f"warning: run {run} has ended, but its repository could not be told: {error.message}\n"
        "  what it exported without a restore point is kept from pruning for up to 30 days"
    )
