"""The picture of a plan with the states of a run: the same boxes, with signs, times and attempts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import structs

from runner.plan import outlook, plan
from runner.plan.drawing import compose
from runner.plan.drawing.picture import Box, Mark, Picture, Undo

_FAINT = frozenset({"skipped", "not_run"})
# What is said of many when it holds for one of them, the worst first.
_WORST = ("failed", "cancelled", "running", "retrying", "waiting", "tolerated", "pending", "not_run", "skipped")


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one node so far: its status, lines about it, and what a reader learns who points at it."""

    status: str
    facts: tuple[str, ...] = ()
    hint: str = ""


def picture(made: plan.Plan, states: Mapping[str, State], status: str, facts: Sequence[str]) -> Picture:
    """Return the picture of a run.

    Args:
        made: The plan that it carries out.
        states: By the id of the node; those of instances are `NAME/KEY`, of undo nodes `revert/…` and `cleanup/…`.
        status: That of the run.
        facts: About the whole run, for the line below the title.
    """
    planned = compose.picture(outlook.untold(made))
    instances: dict[str, dict[str, State]] = {}
    for name, state in states.items():
        phase, slash, key = name.partition("/")
        if slash:
            instances.setdefault(phase, {})[key] = state
    return structs.replace(
        planned,
        subtitle="  ·  ".join([status, *facts]),
        description=f"A run, {status}. {planned.description} " + " ".join(_said(box, states) for box in planned.boxes),
        boxes=tuple(_box(box, states, instances.get(box.id, {})) for box in planned.boxes),
        mark=Mark(status=status),
    )


def _said(box: Box, states: Mapping[str, State]) -> str:
    state = states.get(box.id)
    return f"{box.title}: {'pending' if state is None else state.status.replace('_', ' ')}."


def _box(box: Box, states: Mapping[str, State], instances: Mapping[str, State]) -> Box:
    state = states.get(box.id, State(status="pending"))
    counts = Counter(each.status for each in instances.values())
    counted = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in counts.items())
    return structs.replace(
        box,
        hint="\n".join(filter(None, [box.hint, state.hint])),
        facts=(*state.facts, *([counted] if counted else [])),
        undo=tuple(_undo(undo, box.id, states) for undo in box.undo),
        faint=state.status in _FAINT,
        mark=Mark(status=state.status, hint=state.status.replace("_", " ")),
        instances=tuple(
            Mark(status=each.status, hint="\n".join([f"{key}: {each.status.replace('_', ' ')}", *each.facts]))
            for key, each in instances.items()
        ),
    )


def _undo(undo: Undo, phase: str, states: Mapping[str, State]) -> Undo:
    """Add the state of an undo node, or what is worth knowing of those of all instances."""
    name = f"{undo.key}/{phase}"
    found = {state.status for each, state in states.items() if each == name or each.startswith(f"{name}/")}
    if not found:
        return undo
    status = next((status for status in _WORST if status in found), "succeeded")
    return structs.replace(undo, mark=Mark(status=status, hint=f"{undo.key}: {status}"))
