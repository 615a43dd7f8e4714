"""The graph of a run: its phases in the order of the plan, with states, times and attempts."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from runner.base import durations
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.cli import console as consoles
from runner.cli import phrases, report
from runner.engine.result import PhaseResult, RunResult
from runner.plan import explain, outlook, plan
from runner.plan.drawing import progress
from runner.plan.drawing.picture import Picture

_MOST_COUNTS = 2


def picture(made: plan.Plan, run: RunResult) -> Picture:
    """Return the picture of a run."""
    started = f"started {phrases.when(run.started_at)}"
    took = [f"took {phrases.between(run.started_at, run.finished_at)}"] if run.finished_at else []
    states = {_node(phase): _state(phase) for phase in run.phases}
    return progress.picture(made, states, run.status.value, [*took, started, f"run {run.id}"])


def to_json(made: plan.Plan, run: RunResult) -> JsonObject:
    """Return the run with its graph; nodes refer to phases by name, and edges say why one waits for another."""
    steps = outlook.steps_of(made)
    nodes: list[JsonValue] = [
        {"name": node.name, "function": node.function, "step": steps[node.id]} for node in made.nodes
    ]
    edges: list[JsonValue] = [
        {"source": edge.source, "target": node.name, "why": edge.why.value, "detail": edge.detail}
        for node in made.nodes
        for edge in node.edges
    ]
    return {**run.to_json(), "graph": {"nodes": nodes, "edges": edges}}


def text(console: consoles.Console, made: plan.Plan, run: RunResult) -> Iterator[str]:
    """Write the phases as a list: step, state, what each waited for; instances and undo nodes below their phase."""
    lines = report.PhaseLines(console, console.out, [(_name(phase), phase.function) for phase in run.phases])
    of_phase: dict[str, list[PhaseResult]] = {}
    for phase in run.phases:
        of_phase.setdefault(phase.name, []).append(phase)
    steps = outlook.steps_of(made)
    for node in [*made.nodes, *([made.defer] if made.defer is not None else [])]:
        step = f"{steps[node.id]:>3}" if node.id in steps else "last"
        for phase in of_phase.get(node.name, []):
            is_main = _is_main(phase)
            yield f"{step if is_main else '':<4}{lines.of(structs.replace(phase, name=_name(phase), key=''))}"
            if phase.kind == "phase" and is_main:
                yield from (console.style(f"{'':<8}{fact}", fg="bright_black") for fact in explain.waits(node))


def _is_main(phase: PhaseResult) -> bool:
    return phase.kind in ("phase", "defer") and not phase.key


def _name(phase: PhaseResult) -> str:
    """Return what stands for a node below its phase: the key of an instance, `revert`, `cleanup`."""
    if _is_main(phase):
        return phase.name
    kind = phase.kind if phase.kind != "phase" else ""
    return "  " + "/".join(filter(None, [kind, phase.key]))


def _node(phase: PhaseResult) -> str:
    return "defer" if phase.kind == "defer" else report.node_of(phase)


def _state(phase: PhaseResult) -> progress.State:
    took = "" if phase.duration is None else durations.for_people(phase.duration)
    attempts = f"{phase.attempts} attempts" if phase.attempts > 1 else ""
    error = phase.error.code if phase.error is not None else ""
    moved = phrases.facts(phase.outputs)
    said = "" if phase.status in ("succeeded", "failed") else phase.status.replace("_", " ")
    facts = [" · ".join(filter(None, [said, took, attempts, error])), ", ".join(moved.split(", ")[:_MOST_COUNTS])]
    about = [phase.reason or "", phase.error.message if phase.error is not None else ""]
    return progress.State(
        status=phase.status, facts=tuple(filter(None, facts)), hint="\n".join(filter(None, [facts[0], moved, *about]))
    )
