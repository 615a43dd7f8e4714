"""Findings about phases that wait for each other (KB320), and about reading what comes later (KB311)."""

from __future__ import annotations

from collections.abc import Mapping

from runner.base import span as spans
from runner.base.diagnostic import Diagnostic, Related
from runner.base.span import Span
from runner.model import blueprint as blueprints
from runner.plan import edges, graph, plan

_SHOWN = 20


def find(
    blueprint: blueprints.Blueprint, action: blueprints.Action, waits: Mapping[str, list[edges.Wait]]
) -> list[Diagnostic]:
    """Report everything that keeps the phases of an action from having an order."""
    sources = {name: [wait.edge.source for wait in found] for name, found in waits.items()}
    if graph.points_up(sources):
        return []
    found = graph.cycles(sources)
    if not found:
        return []
    early = _early_reads(action, waits, graph.groups(sources))
    phases = {phase.name: phase for phase in reversed(action.phases)}
    reported = [_early_read(blueprint, phases, wait) for wait in early]
    if early:
        refused = {(wait.phase, wait.edge.source) for wait in early}
        kept = {name: [each for each in wanted if (name, each) not in refused] for name, wanted in sources.items()}
        found = graph.cycles(kept)
    return [*reported, *(_cycle(blueprint, cycle, waits) for cycle in found)]


def place(blueprint: blueprints.Blueprint, wait: edges.Wait) -> Span:
    """Return where the document causes an edge."""
    if wait.read is not None:
        start, length = wait.read.reference.places[1]
        return blueprint.part_span(wait.pointer, start, start + length)
    if wait.edge.why is plan.Why.NEEDS:
        return blueprint.span(wait.pointer)
    return blueprint.span(f"{wait.pointer}/name")


def _early_reads(
    action: blueprints.Action, waits: Mapping[str, list[edges.Wait]], groups: Mapping[str, int]
) -> list[edges.Wait]:
    """Find reads of a phase that waits for its reader: by the order of the document, or because an undo reads it."""
    rank = {phase.name: index for index, phase in enumerate(action.phases)}
    ordered = {phase.name for phase in action.phases if phase.needs is None}
    return [
        wait
        for found in waits.values()
        for wait in found
        if wait.read is not None
        and groups[wait.edge.source] == groups[wait.phase]
        and (_undo(wait) or (wait.edge.source in ordered and rank[wait.edge.source] > rank[wait.phase]))
    ]


def _undo(wait: edges.Wait) -> str:
    """Return which undo of the phase makes a read, or an empty text."""
    parts = spans.split_pointer(wait.pointer)
    return parts[4] if parts[4:] and parts[4] in ("revert", "cleanup") else ""


def _early_read(
    blueprint: blueprints.Blueprint, phases: Mapping[str, blueprints.Phase], wait: edges.Wait
) -> Diagnostic:
    source, undo = phases[wait.edge.source], _undo(wait)
    reader, hint = f'phase "{wait.phase}"', f'move "{source.name}" up, or say with `needs` what it waits for'
    if undo:
        reader, hint = f"the {undo} of {reader}", f'undo what "{source.name}" does in a `{undo}` of its own'
    return Diagnostic(
        code="KB311",
        message=f'{reader} reads {wait.edge.detail} of phase "{source.name}", which runs after it',
        span=place(blueprint, wait),
        hint=hint,
        related=(Related(span=blueprint.span(f"{source.pointer}/name"), message=f'"{source.name}" stands here'),),
    )


def _cycle(blueprint: blueprints.Blueprint, cycle: list[str], waits: Mapping[str, list[edges.Wait]]) -> Diagnostic:
    steps = [
        next(wait for wait in waits[name] if wait.edge.source == following)
        for name, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True)
    ]
    if len(cycle) == 1:
        message = f'phase "{cycle[0]}" waits for itself'
    else:
        shown = cycle if len(cycle) <= _SHOWN else [*cycle[: _SHOWN - 1], "…"]
        message = f"the phases wait for each other in a cycle: {' → '.join([*shown, cycle[0]])}"
    return Diagnostic(
        code="KB320",
        message=message,
        span=place(blueprint, steps[0]),
        hint=_way_out(steps),
        related=tuple(Related(span=place(blueprint, step), message=_reason(step)) for step in steps[:_SHOWN]),
    )


def _reason(wait: edges.Wait) -> str:
    match wait.edge.why:
        case plan.Why.DATA:
            return f'"{wait.phase}" reads {wait.edge.detail} of "{wait.edge.source}"'
        case plan.Why.NEEDS:
            return f'"{wait.phase}" needs "{wait.edge.source}"'
        case plan.Why.ORDER:
            return f'"{wait.phase}" has no `needs` and so waits for "{wait.edge.source}" above it'


def _way_out(steps: list[edges.Wait]) -> str:
    if len(steps) == 1:
        return "remove its own name from `needs`"
    for step in steps:
        if step.edge.why is plan.Why.ORDER:
            return f'give "{step.phase}" a `needs` (an empty list lets it start at once)'
    return "take one of these phases out of the cycle"
