"""What templates can read while a run is driven: `inputs phases artifactsIn object profile time run`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.base import clock
from runner.engine.node_state import NodeState
from runner.engine.session import Session
from runner.engine.states import NodeStatus
from runner.plan.plan import PlanNode
from runner.templates import evaluate


def roots(session: Session, node: PlanNode | None = None) -> dict[str, object]:
    """Return the template roots of a run as they are now; phases that end later show up in it.

    Args:
        session: The drive.
        node: Whose templates are rendered; None for the artifacts. An instance of a `foreach` sees its item, and its
            revert and cleanup see its own outputs as those of the phase.
    """
    request = session.request
    started = clock.isoformat(session.started_at)
    return {
        "inputs": request.inputs,
        "phases": _Phases(session, node),
        "artifactsIn": request.artifacts_in,
        "object": request.object or {},
        "profile": request.profile or {},
        "time": started,
        "run": {"id": session.directory.id, "startedAt": started},
        **(session.state.instances[node.name].roots(node.key) if node is not None and node.key else {}),
    }


class _Phases(Mapping[str, object]):
    """The phases that have something to read, looked up when asked, so that a long plan is never copied."""

    def __init__(self, session: Session, reader: PlanNode | None) -> None:
        self._session = session
        self._state = session.state
        self._reader = reader

    def __getitem__(self, name: str) -> object:
        node = self._state.by_id[name]
        if node.foreach is None:
            return {"outputs": self._outputs(node)}
        if self._reader is not None and self._reader.name == name and self._reader.key:
            return {"outputs": self._outputs(self._state.by_id[f"{name}/{self._reader.key}"])}
        return {"each": self._each(name)}

    def __iter__(self) -> Iterator[str]:
        return (node.id for node in self._state.plan.nodes if self._state.nodes[node.id].finished_at)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _each(self, name: str) -> object:
        if name not in self._state.instances:
            return evaluate.Absent(_absence(name, self._state.nodes[name]))
        instances = [self._state.by_id[each] for each in self._state.instances[name].nodes]
        return {node.key: {"status": self._status(node), "outputs": self._outputs(node)} for node in instances}

    def _status(self, node: PlanNode) -> str:
        return self._state.nodes[node.id].status.value

    def _outputs(self, node: PlanNode) -> object:
        state = self._state.nodes[node.id]
        readable = state.outputs if state.status is NodeStatus.SUCCEEDED else state.residue
        if readable is None:
            return {} if node.key else evaluate.Absent(_absence(node.name, state))
        return {**readable, **self._secrets(node)}

    def _secrets(self, node: PlanNode) -> dict[str, object]:
        sealed = self._session.directory.sealed
        return {name: sealed.secret(f"{node.id}.{name}") for name, output in node.outputs.items() if output.secret}


def _absence(name: str, node: NodeState) -> str:
    """Say why a phase has no outputs."""
    if node.status is NodeStatus.SKIPPED:
        return f'phase "{name}" was skipped ({node.reason})'
    return f'phase "{name}" has not succeeded'
