"""A run in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.base import durations, quantities
from runner.cli import console as consoles
from runner.cli import phrases
from runner.engine.result import PhaseResult, RunResult

_WIDTH = 79
_UNDO = {
    ("revert", "succeeded"): "reverted",
    ("revert", "failed"): "not reverted",
    ("cleanup", "succeeded"): "cleaned up",
    ("cleanup", "failed"): "not cleaned up",
}


def header(console: consoles.Console, stream: consoles.Stream, what: str, run: str) -> str:
    """Write the line above the phases: blueprint and action at the left, the id of the run at the right."""
    right = f"run {run}"
    gap = max(2, _WIDTH - len(what) - len(right))
    return console.style(what, on=stream, bold=True) + " " * gap + console.style(right, on=stream, fg="bright_black")


class PhaseLines:
    """Writes one line for each node, in columns.

    Args:
        console: For colours.
        stream: Where the lines go.
        nodes: Name and function of the phases, from which the widths of the columns come.
    """

    def __init__(self, console: consoles.Console, stream: consoles.Stream, nodes: Iterable[tuple[str, str]]) -> None:
        self._console = console
        self._stream = stream
        self._names = self._functions = 0
        self.widen(nodes)

    def widen(self, nodes: Iterable[tuple[str, str]]) -> None:
        """Make room for further nodes."""
        for name, function in nodes:
            self._names = max(self._names, min(32, len(name)))
            self._functions = max(self._functions, min(24, len(function)))

    def line(
        self,
        name: str,
        function: str,
        *,
        kind: str,
        status: str,
        seconds: float | None,
        attempts: int,
        code: str | None,
        outputs: Mapping[str, Any],
        reason: str | None = None,
    ) -> str:
        """Write the line of a node that has ended or waits; a reason tells why it was skipped or did nothing."""
        sign, colour = phrases.SIGNS[status]
        has_failed = code is not None and status in ("failed", "tolerated")
        found = [_UNDO.get((kind, status), ""), f"error[{code}]" if has_failed else ""]
        if attempts > 1:
            found.append(f"{attempts} attempts")
        if status not in ("succeeded", "failed"):
            found.append(status.replace("_", " "))
        if reason and status in ("skipped", "succeeded"):
            found.append(reason)
        said = ", ".join(filter(None, [*found, phrases.facts(outputs)]))
        took = "" if seconds is None else durations.for_people(seconds)
        shown = self._console.style(sign, on=self._stream, fg=colour)
        return f"  {shown} {name:<{self._names}}  {function:<{self._functions}}  {took:>8}  {said}".rstrip()

    def of(self, phase: PhaseResult) -> str:
        """Write the line of a phase of a result."""
        return self.line(
            phase.name + (f"/{phase.key}" if phase.key else ""),
            phase.function,
            kind=phase.kind,
            status=phase.status,
            seconds=phase.duration,
            attempts=phase.attempts,
            code=phase.error.code if phase.error else None,
            outputs=phase.outputs,
            reason=phase.reason,
        )


def node_of(phase: PhaseResult) -> str:
    """Return how a node is called: its phase, after `revert/` or `cleanup/` when it undoes it."""
    prefix = f"{phase.kind}/" if phase.kind in ("revert", "cleanup") else ""
    return f"{prefix}{phase.name}{'/' + phase.key if phase.key else ''}"


def shown(run: RunResult) -> list[PhaseResult]:
    """Return the phases that get a line: a phase with instances leaves that to them."""
    divided = {phase.name for phase in run.phases if phase.key}
    return [phase for phase in run.phases if phase.key or phase.kind != "phase" or phase.name not in divided]


def outcome(console: consoles.Console, run: RunResult, restore: str | None) -> Iterator[str]:
    """Say how a run that succeeded has ended, and how to get the data back.

    Args:
        console: For colours.
        run: The run.
        restore: The command that restores, without `--from`; None when the blueprint has no such action.
    """
    took = durations.for_people(run.duration)
    complete = f"complete with {phrases.count(len(run.warnings), 'warning')}" if run.warnings else "complete"
    if not run.restore_points:
        yield f"{console.style(run.action, bold=True)} {complete} after {took}"
        yield from (f"  restored to:  {place}" for place in _targets(run))
    for point in map(dict[str, Any], run.restore_points):
        new = f"{quantities.bytes_for_people(point['bytesStored'])} stored" if point["bytesNew"] else "nothing new"
        yield console.style(f"Restore point {point['id'][:8]}", bold=True) + f", {complete} after {took}, {new}"
        if restore is not None:
            yield f"  restore:  {restore} --from {point['id'][:8]}"


def _targets(run: RunResult) -> Iterable[str]:
    restored = [phase.outputs for phase in run.phases if phase.function.startswith("Restore")]
    places = (outputs.get("target") or outputs.get("volume") for outputs in restored)
    return dict.fromkeys(str(place) for place in places if place)


def undone(run: RunResult) -> Iterator[str]:
    """Say what was undone, and what could not be."""
    for kind, done in (("revert", "reverted"), ("cleanup", "cleaned up")):
        for status, said in (("succeeded", done), ("failed", f"not {done}")):
            names = [
                node_of(phase).removeprefix(f"{kind}/")
                for phase in run.phases
                if (phase.kind, phase.status) == (kind, status)
            ]
            if names:
                yield f"  {said}: {', '.join(names)}"


def waits(run: RunResult) -> Iterator[str]:
    """Say for what a waiting run waits, and which command lets it go on."""
    if run.behind is not None and run.finished_at is None:
        yield f"  {run.behind}"
    for phase in run.phases:
        node = node_of(phase)
        if node not in run.persons:
            continue
        yield f"  {node}: {phase.reason}"
        if phase.reason and "settle" in phase.reason:
            yield f"    runner resume {run.id} --settle {node}=rerun   (or succeeded, or failed)"
        else:
            yield f"    runner approve {run.id} {node}"


def going_on(run: RunResult) -> Iterator[str]:
    """Say which commands end an interrupted run one way or the other."""
    yield f"  go on:   runner resume {run.id}"
    yield f"  give up: runner cancel {run.id}"


def left(run: RunResult) -> Iterator[str]:
    """Say what a stopped run leaves behind: phases whose end is unknown, and those that are done but not undone."""
    unknown = [node_of(phase) for phase in run.phases if phase.status in ("running", "waiting", "retrying")]
    done = [node_of(phase) for phase in run.phases if phase.status == "succeeded"]
    if unknown:
        yield f"  unfinished: {', '.join(unknown)}"
    if done:
        yield f"  done:       {', '.join(done)}"
