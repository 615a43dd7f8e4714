"""What the conductor asks the executor to do."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import msgspec

from runner.base import cancel


class Start(msgspec.Struct, frozen=True):
    """Begin an attempt of a node."""

    node: str
    attempt: int


class Resolve(msgspec.Struct, frozen=True):
    """Ask the condition of a node, and its items; then begin its first attempt, expand it or skip it."""

    node: str


class LookFor(msgspec.Struct, frozen=True):
    """Ask the function's `find` what earlier attempts of a node created."""

    node: str


class Accept(msgspec.Struct, frozen=True):
    """A node in doubt, or about to be tried again, has succeeded: its thing was found, or a person said so."""

    node: str
    how: str


class Pass(msgspec.Struct, frozen=True):
    """A gate is open: the node has succeeded."""

    node: str


class Expire(msgspec.Struct, frozen=True):
    """An approval was not given in time."""

    node: str


class Doubt(msgspec.Struct, frozen=True):
    """An attempt in doubt counts as failed: settled so, or abandoned without leaving anything."""

    node: str


class ScheduleRetry(msgspec.Struct, frozen=True):
    """Another attempt is allowed; the executor draws the pause."""

    node: str


class Fail(msgspec.Struct, frozen=True):
    """The node has failed for good."""

    node: str


class Tolerate(msgspec.Struct, frozen=True):
    """The node has failed for good, and the action goes on."""

    node: str


class Cancel(msgspec.Struct, frozen=True):
    """The node is given up with the run."""

    node: str


class Interrupt(msgspec.Struct, frozen=True):
    """An attempt under way is to be given up; asked once more is as good as once."""

    node: str
    reason: cancel.Reason


class Admit(msgspec.Struct, frozen=True):
    """The run has a concurrency group: take it, or wait for the run that has it."""


class BeginCommit(msgspec.Struct, frozen=True):
    """All phases succeeded."""


class Commit(msgspec.Struct, frozen=True):
    """Render the artifacts and store the restore point."""


class Unwind(msgspec.Struct, frozen=True):
    """Nothing is under way any more: undo, in this order."""

    order: tuple[str, ...]


class Defer(msgspec.Struct, frozen=True):
    """The unwind is over."""


class Finish(msgspec.Struct, frozen=True):
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


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The commands for now; when to ask again at the latest; and for which nodes a person is waited for."""

    commands: tuple[Command, ...] = ()
    wake_at: datetime | None = None
    persons: tuple[str, ...] = ()
