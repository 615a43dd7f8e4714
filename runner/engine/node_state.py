"""The state of one node of a plan, as the fold over the events leaves it."""

from __future__ import annotations

import msgspec

from runner.base.jsonvalue import JsonObject
from runner.engine import events
from runner.engine.states import NodeStatus

_NO_OUTPUTS: JsonObject = {}


class NodeState(msgspec.Struct):
    """What is known of one node.

    Attributes:
        reason: Why it was skipped, or has done nothing.
        attempt: How many attempts there were, `retries` how many of them the retry policy granted.
        residue: What it has created without having succeeded.
        looked: Whether `find` needs no more asking since the last attempt; `look_failed` that it never answered.
        started_active: Seconds that the run had been driven when it was started.
    """

    status: NodeStatus = NodeStatus.PENDING
    reason: str = ""
    attempt: int = 0
    retries: int = 0
    outputs: JsonObject = msgspec.field(default_factory=lambda: _NO_OUTPUTS)
    residue: JsonObject | None = None
    error: events.ErrorValue | None = None
    looked: bool = False
    look_failures: int = 0
    look_failed: bool = False
    look_at: str | None = None
    settle: str | None = None
    approval: events.Approved | None = None
    gate: events.Gated | None = None
    retry_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    started_active: float = 0.0
    duration: float | None = None

    @property
    def was_started(self) -> bool:
        """Whether any attempt began."""
        return self.attempt > 0
