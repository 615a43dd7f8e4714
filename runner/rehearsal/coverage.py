"""Which ways through a blueprint its rehearsals take: phases, conditions, retries, items, and what is undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from runner.engine.node_state import NodeState
from runner.engine.run_state import RunState
from runner.engine.states import NodeStatus
from runner.model.blueprint import Action, Blueprint, Call, Phase
from runner.plan.plan import NodeKind, PlanNode


class Part(StrEnum):
    """What a way belongs to, for tables."""

    PHASES = "phases"
    BRANCHES = "branches"
    UNDO = "undo"


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a run of an action may do, such as `dump` `is tried again`."""

    action: str
    part: Part
    node: str
    does: str

    def __str__(self) -> str:
        return f"{self.node} {self.does}"


def ways(blueprint: Blueprint) -> list[Way]:
    """Return all ways through a blueprint, in the order of the document."""
    return [way for action in blueprint.actions.values() for way in _of_action(action)]


def _of_action(action: Action) -> Iterator[Way]:
    for phase in action.phases:
        yield Way(action=action.name, part=Part.PHASES, node=phase.name, does="runs")
        for does in _branches(phase):
            yield Way(action=action.name, part=Part.BRANCHES, node=phase.name, does=does)
        for kind, undo in ((NodeKind.REVERT, phase.revert), (NodeKind.CLEANUP, phase.cleanup)):
            if undo is not None:
                yield Way(action=action.name, part=Part.UNDO, node=f"{kind}/{phase.name}", does="runs")
    if action.defer is not None:
        for does in ("runs after success", "runs after a failure"):
            yield Way(action=action.name, part=Part.UNDO, node="defer", does=does)


def _branches(phase: Phase) -> Iterator[str]:
    if phase.when is not None:
        yield from ("is allowed by `when`", "is skipped by `when`")
    if phase.foreach is not None:
        yield from ("has no item", "has one item", "has several items")
    if phase.tolerate:
        yield "fails, which is tolerated"
    if _says_retry(phase):
        yield from ("is tried again", "fails in its last attempt")


def _says_retry(call: Call) -> bool:
    """Tell whether an author wants more than one attempt; what functions do by themselves is no branch."""
    return call.retry is not None and not (not isinstance(call.retry, str) and call.retry.limit == 0)


def taken(state: RunState) -> Iterator[Way]:
    """Yield the ways that a run has taken, also those that `ways` leaves out."""
    action = state.plan.action
    for name in dict.fromkeys(node.name for node in state.plan.nodes):
        for does in _done(name, state):
            part = Part.PHASES if does == "runs" else Part.BRANCHES
            yield Way(action=action, part=part, node=name, does=does)
    for node in state.by_id.values():
        if node.kind in (NodeKind.REVERT, NodeKind.CLEANUP) and state.nodes[node.id].was_started:
            yield Way(action=action, part=Part.UNDO, node=f"{node.kind}/{node.name}", does="runs")
        if node.kind is NodeKind.DEFER and state.nodes[node.id].was_started:
            after = "runs after success" if state.committed is not None else "runs after a failure"
            yield Way(action=action, part=Part.UNDO, node="defer", does=after)


def _done(name: str, state: RunState) -> Iterator[str]:
    group = state.nodes[name]
    instances = [state.nodes[node.id] for node in state.by_id.values() if _is_instance(node, name)]
    calls = [node for node in (group, *instances) if node.was_started]
    is_over = group.status in (NodeStatus.SUCCEEDED, NodeStatus.TOLERATED)
    if calls:
        yield "runs"
    if calls or is_over:
        yield "is allowed by `when`"
    if group.status is NodeStatus.SKIPPED:
        yield "is skipped by `when`"
    if state.by_id[name].foreach is not None and (instances or is_over):
        yield ("has no item", "has one item", "has several items")[min(len(instances), 2)]
    if any(node.status is NodeStatus.TOLERATED for node in (group, *instances)):
        yield "fails, which is tolerated"
    yield from _tries(calls, state.by_id[name].retry.limit)


def _is_instance(node: PlanNode, phase: str) -> bool:
    return node.kind is NodeKind.PHASE and node.name == phase and node.key != ""


def _tries(calls: Iterable[NodeState], limit: int) -> Iterator[str]:
    for node in calls:
        if node.retries:
            yield "is tried again"
        if node.retries >= limit and node.status in (NodeStatus.FAILED, NodeStatus.TOLERATED):
            yield "fails in its last attempt"


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a blueprint its rehearsals reach."""

    blueprint: str
    ways: tuple[Way, ...]
    reached: frozenset[Way]

    @property
    def missing(self) -> tuple[Way, ...]:
        """The ways that no rehearsal takes."""
        return tuple(way for way in self.ways if way not in self.reached)

    @property
    def percent(self) -> int:
        """How many of the ways are taken, rounded down so that 100 means all."""
        return 100 if not self.ways else 100 * len(self.ways_reached()) // len(self.ways)

    def ways_reached(self) -> tuple[Way, ...]:
        """Return the ways that some rehearsal takes."""
        return tuple(way for way in self.ways if way in self.reached)
