"""What a function gets to work with: `PhaseContext`. Functions build no clients of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import pydantic

from runner.base import cancel, clock, ids, log, secret
from runner.base.jsonvalue import JsonValue
from runner.registry import args
from runner.registry import driver as drivers

Service = TypeVar("Service")
Polled = TypeVar("Polled")


class PhaseContext(Protocol):
    """One attempt of one phase, seen from inside the function.

    Everything is safe to use from threads that the function starts itself.
    """

    @property
    def run_id(self) -> ids.RunId:
        """The run."""

    @property
    def blueprint(self) -> str:
        """The `metadata.name` of the blueprint."""

    @property
    def object(self) -> str | None:
        """The object of the run as `KIND/NAMESPACE/NAME`, when it has one."""

    @property
    def action(self) -> str:
        """The action that runs."""

    @property
    def phase(self) -> str:
        """The phase name; for an undo `revert/NAME` or `cleanup/NAME`, else `defer`."""

    @property
    def key(self) -> str:
        """The key of the instance within a `foreach`, else an empty text."""

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""

    @property
    def token(self) -> str:
        """32 base32 characters, equal over all attempts and resumes of this phase; put on whatever is created."""

    @property
    def started_at(self) -> datetime:
        """When the run was started (wall time, UTC); equal over resumes."""

    @property
    def clock(self) -> clock.Clock:
        """The time."""

    @property
    def cancel(self) -> cancel.CancelToken:
        """Says when to give up; long work calls `raise_if_cancelled` at least once a second."""

    @property
    def log(self) -> log.Logger:
        """The run's log, bound to run, action, phase and attempt."""

    @property
    def work(self) -> Path:
        """A private directory of this phase on disk, mode 0700, kept until the run has ended."""

    @property
    def overwrite(self) -> bool:
        """Whether the person allowed existing data to be written over."""

    @property
    def declared_outputs(self) -> Mapping[str, bool]:
        """The outputs that the phase declares, and whether each is secret."""

    def progress(self, completed: int, total: int | None, unit: str, description: str = "") -> None:
        """Report progress (`unit` is `bytes`, `files`, …); cheap, call it as often as is natural."""

    def warn(self, message: str) -> None:
        """Add a warning to the result of the run; one sentence without a final dot."""

    def reveal(self, value: str | secret.Secret) -> str:
        """Return the text of a secret, and remember it for redaction; a plain text is returned as it is."""

    def service(self, kind: type[Service]) -> Service:
        """Return the run's instance of a service that the application provides, opened at first use.

        The services are those of `runner.app`: the `Repository` at the run's location, the `Commands` of its reaper,
        the directories of the runner itself (`OwnPlaces`), the limit of what is copied (`TemporarySpace`).

        Raises:
            RunnerError: As opening it raises (no repository, wrong passphrase).
        """

    def driver(self, name: str) -> drivers.SnapshotDriver:
        """Return a storage driver by name.

        Raises:
            EnvironmentProblem: RT305, with the names that exist.
        """

    def base_export(self, source: str) -> ids.ExportId | None:
        """Return the export that the latest restore point of the same blueprint, object and phase has of `source`.

        It is the parent of an incremental export. None when there is none.
        """

    def poll(
        self, until: Callable[[], Polled | None], *, interval: timedelta, timeout: timedelta, describe: str
    ) -> Polled:
        """Call `until` with jittered pauses until it returns something else than None.

        Raises:
            TimedOut: RT202; says what was waited for.
            Cancelled: When the attempt is given up.
        """


class Gate:
    """Base of what a function returns to make its phase wait without a thread: `Approval` or `Until`."""

    outputs_model: ClassVar[type[args.Outputs]] = args.NoOutputs


class ApprovalOutputs(args.Outputs):
    """What a phase has that waited for a person."""

    comment: str = pydantic.Field(description="What the person said with `--comment`, else an empty text.")


class Approval(Gate):
    """The phase waits for `runner approve`; after `expires_at` it fails with RT209."""

    outputs_model = ApprovalOutputs

    def __init__(self, message: str, expires_at: datetime | None) -> None:
        self.message = message
        self.expires_at = expires_at


class Until(Gate):
    """The phase waits until a moment has come, then succeeds."""

    def __init__(self, moment: datetime, outputs: JsonValue = None) -> None:
        self.moment = moment
        self.outputs = outputs
