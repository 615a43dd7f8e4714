"""What templates can read while a run is driven: `inputs phases artifactsIn object profile time run`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.base import clock
from runner.engine.run_state import NodeState
from runner.engine.session import Session
from runner.engine.states import NodeStatus
from runner.plan.plan import PlanNode


def roots(session: Session) -> dict[str, object]:
    """Return the template roots of a run as they are now; phases that end later show up in it."""
    request = session.request
    started = clock.isoformat(session.started_at)
    return {
        "inputs": request.inputs,
        "phases": _Phases(session),
        "artifactsIn": request.artifacts_in,
        "object": request.object or {},
        "profile": request.profile or {},
        "time": started,
        "run": {"id": session.directory.id, "startedAt": started},
    }


class _Phases(Mapping[str, object]):
    """The phases that have something to read, looked up when asked, so that a long plan is never copied."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getitem__(self, name: str) -> object:
        node = self._session.state.nodes[name]
        outputs = _readable(node)
        if outputs is None:
            raise KeyError(name)
        return {"outputs": {**outputs, **self._secrets(self._session.state.by_id[name])}}

    def __iter__(self) -> Iterator[str]:
        nodes = self._session.state.nodes
        return (node.id for node in self._session.request.plan.nodes if _readable(nodes[node.id]) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _secrets(self, node: PlanNode) -> dict[str, object]:
        sealed = self._session.directory.sealed
        return {name: sealed.secret(f"{node.id}.{name}") for name, output in node.outputs.items() if output.secret}


def _readable(node: NodeState) -> Mapping[str, object] | None:
    if node.status is NodeStatus.SUCCEEDED:
        return node.outputs
    return node.residue
