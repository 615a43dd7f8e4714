"""What a phase has to be asked before its first attempt: whether it runs at all, and for which items."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from runner.base import errors
from runner.engine import events, invoke, roots
from runner.engine.session import Session
from runner.plan import expand
from runner.plan.plan import PlanNode
from runner.templates import bare

Asked = TypeVar("Asked")


def resolve(session: Session, node: PlanNode) -> events.Event | None:
    """Ask the condition of a node and, where it has a `foreach`, its items.

    Returns:
        What has become of it: skipped, expanded, or refused because that cannot be told; None if it is to be started.
    """
    known = roots.roots(session, node)
    if node.when:
        holds = _asked(session, node, "/when", lambda: bare.condition(node.when, known))
        if isinstance(holds, events.ErrorValue):
            return events.Refused(node=node.id, error=holds)
        if not holds:
            return events.Skipped(node=node.id, reason=f"its condition is false: {node.when}")
    if (foreach := node.foreach) is None:
        return None
    items = _asked(session, node, "/foreach/items", lambda: expand.items(foreach, known))
    if isinstance(items, events.ErrorValue):
        return events.Refused(node=node.id, error=items)
    return events.Expanded(node=node.id, items=items)


def _asked(session: Session, node: PlanNode, place: str, ask: Callable[[], Asked]) -> Asked | events.ErrorValue:
    try:
        return ask()
    except errors.RunnerError as error:
        error.span = invoke.span_of(session, node.pointer + place)
        return invoke.error_value(session, error)
