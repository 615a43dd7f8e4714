"""The events of a run: what a journal holds and what `run_state.apply` folds; plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

import msgspec

from runner.base import errors
from runner.base.jsonvalue import JsonObject
from runner.document import render


class ErrorValue(msgspec.Struct, frozen=True, kw_only=True):
    """A failure as it is journalled and shown; `kind` is what retry policies look at, `position` is in the blueprint.

    `kind` is one of `transient timeout permanent cancelled unknown internal`; `retry_after` is in seconds.
    """

    code: str
    message: str
    kind: str
    details: str = ""
    hint: str = ""
    context: Mapping[str, str] = msgspec.field(default_factory=dict)
    retry_after: float | None = None
    position: JsonObject | None = None


class RunCreated(msgspec.Struct, frozen=True, kw_only=True):
    """The run exists; `request` is all that it will ever need of the world (`request.to_json`)."""

    type: ClassVar[str] = "run.created"
    run: str
    nonce: str
    request: Mapping[str, Any]
    format: int = 1


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """A process drives the run from here on; `elapsed` of the records counts from this one."""

    type: ClassVar[str] = "run.attached"
    pid: int
    host: str


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """Another run has the concurrency group; this one waits for it. `message` and `hint` say which, and what to do."""

    type: ClassVar[str] = "run.queued"
    message: str
    hint: str


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """The run has its concurrency group, until it has ended."""

    type: ClassVar[str] = "run.admitted"


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """The condition of the node is false."""

    type: ClassVar[str] = "phase.skipped"
    node: str
    reason: str


class Expanded(msgspec.Struct, frozen=True, kw_only=True):
    """The node has an instance for each of these items, by key and in this order."""

    type: ClassVar[str] = "phase.expanded"
    node: str
    items: Mapping[str, Any]


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The condition or the items of the node cannot be told: it has failed without an attempt."""

    type: ClassVar[str] = "phase.refused"
    node: str
    error: ErrorValue


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt may have effects from here on."""

    type: ClassVar[str] = "phase.started"
    node: str
    attempt: int


class Succeeded(msgspec.Struct, frozen=True, kw_only=True):
    """The node is done."""

    type: ClassVar[str] = "phase.succeeded"
    node: str
    attempt: int
    outputs: JsonObject
    how: str = "returned"


class Gated(msgspec.Struct, frozen=True, kw_only=True):
    """The node waits without a thread: for an approval until `until`, or for the moment `until`."""

    type: ClassVar[str] = "phase.waiting"
    node: str
    attempt: int
    gate: str
    message: str
    until: str | None
    outputs: JsonObject = msgspec.field(default_factory=dict)


class AttemptFailed(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt ended with an error; whether there is another one is decided next."""

    type: ClassVar[str] = "phase.attempt_failed"
    node: str
    attempt: int
    error: ErrorValue


class RetryScheduled(msgspec.Struct, frozen=True, kw_only=True):
    """The next attempt starts at `until` (wall time)."""

    type: ClassVar[str] = "phase.retrying"
    node: str
    until: str


class LookedFor(msgspec.Struct, frozen=True, kw_only=True):
    """`find` was asked what the failed attempts had created; `outputs` is None when there was nothing."""

    type: ClassVar[str] = "phase.looked_for"
    node: str
    outputs: JsonObject | None


class LookFailed(msgspec.Struct, frozen=True, kw_only=True):
    """`find` could not tell; it is asked again at `until`, or, when that is None, never."""

    type: ClassVar[str] = "phase.look_failed"
    node: str
    error: ErrorValue
    until: str | None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The node has failed for good, with the error of its last attempt."""

    type: ClassVar[str] = "phase.failed"
    node: str


class Tolerated(msgspec.Struct, frozen=True, kw_only=True):
    """The node has failed for good, with the error of its last attempt, and the action goes on."""

    type: ClassVar[str] = "phase.tolerated"
    node: str


class NodeCancelled(msgspec.Struct, frozen=True, kw_only=True):
    """The node was given up with the run."""

    type: ClassVar[str] = "phase.cancelled"
    node: str


class InDoubt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt ended without telling how: the runner died, or the attempt did not end in time (`error`)."""

    type: ClassVar[str] = "phase.in_doubt"
    node: str
    attempt: int
    error: ErrorValue | None = None


class Residue(msgspec.Struct, frozen=True, kw_only=True):
    """A node that did not succeed has created something nevertheless; its revert gets these outputs."""

    type: ClassVar[str] = "phase.residue"
    node: str
    outputs: JsonObject


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A person said how an attempt in doubt had ended: `rerun`, `succeeded` or `failed`."""

    type: ClassVar[str] = "phase.settled"
    node: str
    how: str
    request: str


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """A person let a waiting phase go on."""

    type: ClassVar[str] = "phase.approved"
    node: str
    comment: str
    request: str


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """Something is not as it should be, though the run goes on."""

    type: ClassVar[str] = "phase.warned"
    node: str
    message: str


class CancelRequested(msgspec.Struct, frozen=True, kw_only=True):
    """A person asked for the run to be given up."""

    type: ClassVar[str] = "run.cancel_requested"
    request: str


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """The run cannot go on for a reason of its own: its deadline, or a full disk under the journal."""

    type: ClassVar[str] = "run.stopped"
    error: ErrorValue


class CommitStarted(msgspec.Struct, frozen=True, kw_only=True):
    """Every phase succeeded; artifacts are rendered and the restore point is being stored."""

    type: ClassVar[str] = "run.commit_started"


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """The result stands: nothing is reverted from here on."""

    type: ClassVar[str] = "run.committed"
    artifacts: JsonObject
    restore_point: JsonObject | None


class CommitFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The artifacts or the restore point could not be made."""

    type: ClassVar[str] = "run.commit_failed"
    error: ErrorValue


class Unwinding(msgspec.Struct, frozen=True, kw_only=True):
    """Cleanups and reverts run from here on, in this order."""

    type: ClassVar[str] = "run.unwinding"
    order: tuple[str, ...]


class Deferring(msgspec.Struct, frozen=True, kw_only=True):
    """The unwind is over; the deferred phase, if there is one, runs."""

    type: ClassVar[str] = "run.deferring"


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """The run has ended."""

    type: ClassVar[str] = "run.finished"
    status: str


Event: TypeAlias = (
    RunCreated
    | Attached
    | Queued
    | Admitted
    | Skipped
    | Expanded
    | Refused
    | Started
    | Succeeded
    | Gated
    | AttemptFailed
    | RetryScheduled
    | LookedFor
    | LookFailed
    | Failed
    | Tolerated
    | NodeCancelled
    | InDoubt
    | Residue
    | Settled
    | Approved
    | Warned
    | CancelRequested
    | Stopped
    | CommitStarted
    | Committed
    | CommitFailed
    | Unwinding
    | Deferring
    | Finished
)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An event in its place: number from 0, wall time (RFC 3339), seconds since the driver attached."""

    seq: int
    at: str
    elapsed: float
    event: Event


def error_value(error: errors.RunnerError) -> ErrorValue:
    """Turn an exception into the value that is journalled."""
    match error:
        case errors.Cancelled():
            kind = "cancelled"
        case errors.TimedOut():
            kind = "timeout"
        case errors.TransientError():
            kind = "transient"
        case errors.OutcomeUnknown():
            kind = "unknown"
        case _:
            kind = "permanent"
    retry_after = error.retry_after if isinstance(error, errors.TransientError) else None
    return ErrorValue(
        code=error.code,
        message=error.message,
        kind=kind,
        details=error.details,
        hint=error.hint,
        context=error.context,
        retry_after=None if retry_after is None else retry_after.total_seconds(),
        position=None if error.span is None else render.position(error.span),
    )
