"""The instances of one phase with `foreach`: what they are for, and whose turn it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from runner.engine.states import NodeStatus
from runner.plan.plan import Foreach, PlanNode

# What a phase amounts to, from what one of its instances amounts to; the first that applies.
_OUTCOMES = (
    (NodeStatus.FAILED, NodeStatus.FAILED),
    (NodeStatus.CANCELLED, NodeStatus.CANCELLED),
    (NodeStatus.NOT_RUN, NodeStatus.CANCELLED),
    (NodeStatus.TOLERATED, NodeStatus.TOLERATED),
)


class Instances:
    """The instances of a phase.

    Attributes:
        nodes: Ids of the instances, in the order of their items.
        fail_fast: Whether the failure of one interrupts the others.
    """

    def __init__(self, foreach: Foreach, items: Mapping[str, Any], instances: Sequence[PlanNode]) -> None:
        self.nodes = tuple(node.id for node in instances)
        self.fail_fast = foreach.fail_fast
        self._numbered = {key: (index, item) for index, (key, item) in enumerate(items.items())}
        self._left = len(self.nodes)
        self._waiting = deque(self.nodes)
        self._width = foreach.max_parallel or len(self.nodes)

    def roots(self, key: str) -> dict[str, object]:
        """Return what the templates of an instance read besides the roots of the run."""
        index, item = self._numbered[key]
        return {"item": item, "key": key, "index": index}

    def first(self) -> list[str]:
        """Return the instances that may begin at once."""
        return [self._waiting.popleft() for _ in range(min(self._width, len(self._waiting)))]

    def ended(self) -> str | None:
        """Count an instance that has ended; returns the one whose turn it is now."""
        self._left -= 1
        return self._waiting.popleft() if self._waiting else None

    @property
    def is_over(self) -> bool:
        """Whether all instances have ended."""
        return not self._left

    def outcome(self, statuses: set[NodeStatus]) -> NodeStatus:
        """Return what the phase amounts to when its instances have ended like this."""
        return next((outcome for status, outcome in _OUTCOMES if status in statuses), NodeStatus.SUCCEEDED)
