"""What the conductor asks the executor to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from runner.base import cancel


@dataclass(frozen=True, slots=True)
class Start:
    """Begin an attempt of a node."""

    node: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """Ask the condition of a node, and its items; then begin its first attempt, expand it or skip it."""

    node: str


@dataclass(frozen=True, slots=True)
class LookFor:
    """Ask the function's `find` what earlier attempts of a node created."""

    node: str


@dataclass(frozen=True, slots=True)
class Accept:
    """A node in doubt, or about to be tried again, has succeeded: its thing was found, or a person said so."""

    node: str
    how: str


@dataclass(frozen=True, slots=True)
class Pass:
    """A gate is open: the node has succeeded."""

    node: str


@dataclass(frozen=True, slots=True)
class Expire:
    """An approval was not given in time."""

    node: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attempt in doubt counts as failed: settled so, or abandoned without leaving anything."""

    node: str


@dataclass(frozen=True, slots=True)
class ScheduleRetry:
    """Another attempt is allowed; the executor draws the pause."""

    node: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The node has failed for good."""

    node: str


@dataclass(frozen=True, slots=True)
class Tolerate:
    """The node has failed for good, and the action goes on."""

    node: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """The node is given up with the run."""

    node: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """An attempt under way is to be given up; asked once more is as good as once."""

    node: str
    reason: cancel.Reason


@dataclass(frozen=True, slots=True)
class Admit:
    """The run has a concurrency group: take it, or wait for the run that has it."""


@dataclass(frozen=True, slots=True)
class BeginCommit:
    """All phases succeeded."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Render the artifacts and store the restore point."""


@dataclass(frozen=True, slots=True)
class Unwind:
    """Nothing is under way any more: undo, in this order."""

    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Defer:
    """The unwind is over."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything is over."""

    status: str


Command: TypeAlias = (
    Start
    | Resolve
    | LookFor
    | Accept
    | Pass
    | Expire
    | Doubt
    | ScheduleRetry
    | Fail
    | Tolerate
    | Cancel
    | Interrupt
    | Admit
    | BeginCommit
    | Commit
    | Unwind
    | Defer
    | Finish
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The commands for now; when to ask again at the latest; and for which nodes a person is waited for."""

    commands: tuple[Command, ...] = ()
    wake_at: datetime | None = None
    persons: tuple[str, ...] = ()
