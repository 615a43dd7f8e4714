"""All states of runs and nodes, and every legal step between them, as tables.

Everything that decides what may follow what stands in this file.
"""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run is, as commands show it."""

    RUNNING = "running"
    WAITING = "waiting"
    UNWINDING = "unwinding"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class NodeStatus(StrEnum):
    """Where a node of the plan is."""

    PENDING = "pending"
    EXPANDED = "expanded"  # a phase with foreach, whose instances are not all over
    RUNNING = "running"
    WAITING = "waiting"  # behind a gate: approval or a pause
    IN_DOUBT = "in_doubt"  # an attempt ended without telling how
    ATTEMPT_FAILED = "attempt_failed"  # retry or give up is to be decided
    RETRYING = "retrying"  # waits for its next attempt
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"  # its condition was false
    TOLERATED = "tolerated"  # it failed, and the action went on (`onError: continue`)
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_RUN = "not_run"


class Stage(StrEnum):
    """What the run is busy with; stages follow each other in this order and never go back."""

    FORWARD = "forward"
    COMMITTING = "committing"
    UNWINDING = "unwinding"
    DEFERRING = "deferring"
    FINISHED = "finished"


DONE = frozenset({NodeStatus.SUCCEEDED, NodeStatus.SKIPPED, NodeStatus.TOLERATED})
TERMINAL = DONE | {NodeStatus.FAILED, NodeStatus.CANCELLED, NodeStatus.NOT_RUN}
UNDECIDED = frozenset({NodeStatus.WAITING, NodeStatus.IN_DOUBT, NodeStatus.ATTEMPT_FAILED, NodeStatus.RETRYING})

NODE_STEPS = frozenset(
    {
        (NodeStatus.PENDING, NodeStatus.RUNNING),  # first attempt
        (NodeStatus.PENDING, NodeStatus.NOT_RUN),  # the run ended before its turn
        (NodeStatus.PENDING, NodeStatus.SKIPPED),  # its condition is false
        (NodeStatus.PENDING, NodeStatus.FAILED),  # its condition or its items cannot be told
        (NodeStatus.PENDING, NodeStatus.EXPANDED),  # it has an instance for each item
        (NodeStatus.EXPANDED, NodeStatus.SUCCEEDED),  # all its instances succeeded
        (NodeStatus.EXPANDED, NodeStatus.TOLERATED),  # an instance failed, which is tolerated
        (NodeStatus.EXPANDED, NodeStatus.FAILED),  # an instance failed
        (NodeStatus.EXPANDED, NodeStatus.CANCELLED),  # an instance was given up, or had no turn
        (NodeStatus.RUNNING, NodeStatus.SUCCEEDED),  # the function returned outputs
        (NodeStatus.RUNNING, NodeStatus.WAITING),  # the function returned a gate
        (NodeStatus.RUNNING, NodeStatus.ATTEMPT_FAILED),  # the function raised
        (NodeStatus.RUNNING, NodeStatus.IN_DOUBT),  # a crash, or an attempt that did not end in time
        (NodeStatus.WAITING, NodeStatus.SUCCEEDED),  # approved, or the pause is over
        (NodeStatus.WAITING, NodeStatus.ATTEMPT_FAILED),  # not approved in time
        (NodeStatus.WAITING, NodeStatus.CANCELLED),  # the run is being given up
        (NodeStatus.IN_DOUBT, NodeStatus.SUCCEEDED),  # found, or settled so
        (NodeStatus.IN_DOUBT, NodeStatus.RUNNING),  # run again
        (NodeStatus.IN_DOUBT, NodeStatus.ATTEMPT_FAILED),  # settled so, or abandoned and not found
        (NodeStatus.IN_DOUBT, NodeStatus.CANCELLED),  # not found while the run is being given up
        (NodeStatus.ATTEMPT_FAILED, NodeStatus.RETRYING),  # the policy allows another attempt
        (NodeStatus.ATTEMPT_FAILED, NodeStatus.FAILED),  # it does not
        (NodeStatus.ATTEMPT_FAILED, NodeStatus.SUCCEEDED),  # it is tolerated, and had created it after all
        (NodeStatus.ATTEMPT_FAILED, NodeStatus.TOLERATED),  # it does not, which is tolerated
        (NodeStatus.ATTEMPT_FAILED, NodeStatus.CANCELLED),  # the attempt ended because the run is given up
        (NodeStatus.RETRYING, NodeStatus.RUNNING),  # next attempt
        (NodeStatus.RETRYING, NodeStatus.SUCCEEDED),  # the failed attempt had created it after all
        (NodeStatus.RETRYING, NodeStatus.TOLERATED),  # it gets no further attempt, which is tolerated
        (NodeStatus.RETRYING, NodeStatus.FAILED),  # another phase failed for good
        (NodeStatus.RETRYING, NodeStatus.CANCELLED),  # the run is being given up
    }
)

STAGE_STEPS = frozenset(
    {
        (Stage.FORWARD, Stage.COMMITTING),  # every phase succeeded
        (Stage.FORWARD, Stage.UNWINDING),  # a phase failed, or the run is given up
        (Stage.COMMITTING, Stage.UNWINDING),  # committed, or the commit failed
        (Stage.UNWINDING, Stage.DEFERRING),  # the stack is empty
        (Stage.DEFERRING, Stage.FINISHED),  # the deferred phase has ended
    }
)
