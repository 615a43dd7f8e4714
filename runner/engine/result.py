"""What a run amounts to, made from its state: the object that `exec`, `show` and the dashboard give out."""

from __future__ import annotations

from datetime import datetime

import msgspec

from runner.base import codes
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.engine import conductor, events
from runner.engine.node_state import NodeState
from runner.engine.run_state import RunState
from runner.engine.runs import RunDirectory
from runner.engine.states import NodeStatus, RunStatus, Stage
from runner.plan.plan import PlanNode

# How the inner states look from outside.
_SHOWN = {
    NodeStatus.IN_DOUBT: "waiting",
    NodeStatus.ATTEMPT_FAILED: "running",
    NodeStatus.NOT_RUN: "not_run",
    NodeStatus.EXPANDED: "running",
}


class PhaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """One node of the plan; `reason` says why it waits, or was skipped."""

    name: str
    key: str
    kind: str
    function: str
    status: str
    attempts: int
    started_at: str | None
    finished_at: str | None
    duration: float | None
    outputs: JsonObject
    error: events.ErrorValue | None
    reason: str | None


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """One run, finished or not.

    Attributes:
        behind: Says which run has the concurrency group that it waits for.
        persons: The nodes that wait for an approval or for being settled.
    """

    id: str
    blueprint: str
    action: str
    status: RunStatus
    started_at: str
    finished_at: str | None
    duration: float
    phases: tuple[PhaseResult, ...]
    artifacts: JsonObject
    restore_points: tuple[JsonObject, ...]
    warnings: tuple[JsonObject, ...]
    failures: tuple[tuple[str, events.ErrorValue], ...]
    behind: str | None
    persons: tuple[str, ...]

    @property
    def error(self) -> events.ErrorValue | None:
        """The first cause, if the run failed."""
        return self.failures[0][1] if self.failures else None

    @property
    def exit(self) -> codes.Exit:
        """What the command exits with."""
        match self.status:
            case RunStatus.SUCCEEDED:
                return codes.Exit.OK
            case RunStatus.CANCELLED:
                return codes.Exit.CANCELLED
            case RunStatus.WAITING:
                return codes.Exit.WAITING
            case RunStatus.FAILED if self.error is not None:
                return _failed(self.error)
            case _:
                return codes.Exit.INTERRUPTED

    def to_json(self) -> dict[str, JsonValue]:
        """Return the object of `schemas/run-result.schema.json`."""
        return {
            "run": {
                "id": self.id,
                "blueprint": self.blueprint,
                "action": self.action,
                "status": self.status.value,
                "reason": self.behind,
                "startedAt": self.started_at,
                "finishedAt": self.finished_at,
                "phases": [_phase_json(phase) for phase in self.phases],
                "artifacts": self.artifacts,
                "restorePoints": list(self.restore_points),
                "warnings": list(self.warnings),
                "error": _error_json(self.error),
            }
        }


def _failed(error: events.ErrorValue) -> codes.Exit:
    """A failed run never looks like a success, a wrong document or a wait, whatever code its cause has."""
    known = codes.exit_of(error.code)
    return known if known in (codes.Exit.ENVIRONMENT, codes.Exit.INTERNAL) else codes.Exit.FAILED


def load(directory: RunDirectory, now: datetime) -> RunResult:
    """Return what the journal of a run says now, whoever drives it."""
    return of_state(directory.id, directory.state(), now, driven=directory.is_driven)


def of_state(run: str, state: RunState, now: datetime, *, driven: bool) -> RunResult:
    """Return what a state amounts to; `driven` tells a run under way from an interrupted one."""
    persons = conductor.decide(state, now, width=0).persons
    committed = state.committed
    point = committed.restore_point if committed else None
    return RunResult(
        id=run,
        blueprint=state.plan.blueprint,
        action=state.plan.action,
        status=_status(state, persons, driven=driven),
        started_at=state.started_at,
        finished_at=state.finished_at,
        duration=state.active,
        phases=tuple(
            _phase(state.by_id[name], state.nodes[name], persons) for name in state.in_order() if _shown(state, name)
        ),
        artifacts=committed.artifacts if committed else {},
        restore_points=(point,) if point else (),
        warnings=tuple({"phase": phase, "message": message} for phase, message in state.warnings),
        failures=tuple(state.failures),
        behind=state.behind,
        persons=persons,
    )


def _status(state: RunState, persons: tuple[str, ...], *, driven: bool) -> RunStatus:
    if state.finished is not None:
        return RunStatus(state.finished)
    if persons and not state.running:
        return RunStatus.WAITING
    if not driven:
        return RunStatus.INTERRUPTED
    if state.behind is not None:
        return RunStatus.WAITING
    return RunStatus.RUNNING if state.stage in (Stage.FORWARD, Stage.COMMITTING) else RunStatus.UNWINDING


def _shown(state: RunState, name: str) -> bool:
    """Undo nodes show up once they were started; phases always."""
    return state.by_id[name].kind.value == "phase" or state.nodes[name].was_started


def _phase(plan: PlanNode, node: NodeState, persons: tuple[str, ...]) -> PhaseResult:
    return PhaseResult(
        name=plan.name,
        key=plan.key,
        kind=plan.kind.value,
        function=plan.function,
        status=_SHOWN.get(node.status, node.status.value),
        attempts=node.attempt,
        started_at=node.started_at,
        finished_at=node.finished_at,
        duration=node.duration,
        outputs=node.outputs,
        error=node.error,
        reason=_reason(plan.id, node, persons),
    )


def _reason(name: str, node: NodeState, persons: tuple[str, ...]) -> str | None:
    if node.status is NodeStatus.IN_DOUBT and name in persons:
        return "it is unknown how its last attempt ended: settle it"
    if node.status is NodeStatus.WAITING and node.gate is not None:
        return node.gate.message or f"until {node.gate.until}"
    return node.reason or None


def _phase_json(phase: PhaseResult) -> dict[str, JsonValue]:
    return {
        "name": phase.name,
        "key": phase.key,
        "kind": phase.kind,
        "status": phase.status,
        "attempts": phase.attempts,
        "startedAt": phase.started_at,
        "finishedAt": phase.finished_at,
        "outputs": phase.outputs,
        "error": _error_json(phase.error),
        "reason": phase.reason,
    }


def _error_json(error: events.ErrorValue | None) -> JsonValue:
    if error is None:
        return None
    return {
        "code": error.code,
        "message": error.message,
        "details": error.details,
        "hint": error.hint,
        "retryable": error.kind == "transient",
        "position": error.position,
    }
