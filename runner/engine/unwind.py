"""What is undone when the forward way has ended, in which order, and what the run amounts to."""

from __future__ import annotations

from collections.abc import Iterator

from runner.engine.run_state import RunState
from runner.engine.states import NodeStatus, RunStatus


def order(state: RunState) -> tuple[str, ...]:
    """Return the undo nodes to run: newest start first; of each phase its cleanup, then its revert.

    A cleanup runs for every phase that was started; a revert for what succeeded, or left something behind, while the
    run has not committed. What a phase left behind whose failure was tolerated is no part of the result: its revert
    runs after the commit as well.
    """
    return tuple(_order(state))


def _order(state: RunState) -> Iterator[str]:
    for name in reversed(state.started):
        plan, node = state.by_id[name], state.nodes[name]
        if plan.cleanup is not None:
            yield plan.cleanup.id
        has_something = node.status is NodeStatus.SUCCEEDED or node.residue is not None
        counts = state.committed is not None and node.status is not NodeStatus.TOLERATED
        if plan.revert is not None and has_something and not counts:
            yield plan.revert.id


def outcome(state: RunState) -> RunStatus:
    """Return how the run ends: a commit decides for success, otherwise the first cause decides."""
    if state.committed is not None:
        return RunStatus.SUCCEEDED
    return RunStatus.CANCELLED if state.cancelled_first else RunStatus.FAILED
