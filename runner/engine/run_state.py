"""The state of a run as a pure fold over its events: `RunState.apply` is the only thing that changes it.

The fold changes the state in place, since plans have thousands of nodes and each event touches one; it does no I/O,
asks no clock and starts nothing, so that replaying a journal always gives the state that its driver had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.base import errors
from runner.base.jsonvalue import JsonObject
from runner.engine import events
from runner.engine.states import NODE_STEPS, STAGE_STEPS, TERMINAL, UNDECIDED, NodeStatus, Stage
from runner.plan.plan import Plan, PlanNode

_NO_OUTPUTS: JsonObject = {}


@dataclass(slots=True)
class NodeState:
    """One node: `attempt` counts all attempts, `retries` those that the retry policy granted.

    `looked` says that `find` needs no more asking since the last attempt; `look_failed` that it never answered.
    """

    status: NodeStatus = NodeStatus.PENDING
    attempt: int = 0
    retries: int = 0
    outputs: JsonObject = field(default_factory=lambda: _NO_OUTPUTS)
    residue: JsonObject | None = None
    error: events.ErrorValue | None = None
    looked: bool = False
    look_failures: int = 0
    look_failed: bool = False
    look_at: str | None = None
    settle: str | None = None
    approval: events.Approved | None = None
    gate: events.Gated | None = None
    retry_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    started_active: float = 0.0
    duration: float | None = None

    @property
    def was_started(self) -> bool:
        """Whether any attempt began."""
        return self.attempt > 0


class RunState:
    """Everything that is known of a run.

    Attributes:
        nodes: State of each node, undo nodes included, in the order of the plan.
        ready: Phases whose predecessors have all succeeded, in the order in which they became so; not yet started.
        running: Nodes with an attempt under way.
        undecided: Nodes for which the conductor must decide something.
        started: Phases in the order of their first start.
        failures: Errors that made the run fail, the first cause first.
        cancelled_first: Whether somebody asked to give the run up before anything had failed.
        unwind: Undo nodes still to run, first to run first.
        active: Seconds for which the run has been driven, over all drivers; time in which nobody did does not count.
        active_before: The same, without the current driver.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.by_id: dict[str, PlanNode] = {node.id: node for node in _all_nodes(plan)}
        self.nodes: dict[str, NodeState] = {name: NodeState() for name in self.by_id}
        self._blockers: dict[str, int] = {}
        self._dependents: dict[str, list[str]] = {node.id: [] for node in plan.nodes}
        for node in plan.nodes:
            sources = {edge.source for edge in node.edges}
            self._blockers[node.id] = len(sources)
            for source in sources:
                self._dependents[source].append(node.id)
        self.ready: dict[str, None] = {node.id: None for node in plan.nodes if not self._blockers[node.id]}
        self.unfinished = len(plan.nodes)
        self.running: dict[str, None] = {}
        self.undecided: dict[str, None] = {}
        self.started: list[str] = []
        self.failures: list[tuple[str, events.ErrorValue]] = []
        self.warnings: list[tuple[str, str]] = []
        self.unwind: list[str] = []
        self.stage = Stage.FORWARD
        self.cancel_requested = False
        self.cancelled_first = False
        self.committed: events.Committed | None = None
        self.finished: str | None = None
        self.requests: set[str] = set()
        self.created: events.RunCreated | None = None
        self.started_at = ""
        self.finished_at: str | None = None
        self.active = 0.0
        self.active_before = 0.0
        self.seq = -1

    @property
    def is_stopping(self) -> bool:
        """Whether no further phase is to start."""
        return bool(self.failures) or self.cancel_requested

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended."""
        return self.finished is not None

    def apply(self, record: events.Record) -> None:
        """Fold one event.

        Raises:
            RunnerError: RT901 for a step that the tables do not allow.
        """
        self.seq = record.seq
        if not isinstance(record.event, events.Attached):
            self.active = self.active_before + record.elapsed
        _FOLDS[type(record.event)](self, record, record.event)

    def _move(self, name: str, to: NodeStatus, record: events.Record) -> NodeState:
        node = self.nodes[name]
        if (node.status, to) not in NODE_STEPS:
            raise errors.RunnerError(f"{name} cannot go from {node.status} to {to}", code="RT901")
        node.status = to
        self.running.pop(name, None)
        if to in UNDECIDED:
            self.undecided[name] = None
        else:
            self.undecided.pop(name, None)
        if to in TERMINAL:
            node.finished_at = record.at
            node.duration = self.active - node.started_active if node.was_started else None
            self._ended(name, to)
        return node

    def _ended(self, name: str, status: NodeStatus) -> None:
        if name not in self._dependents:
            if self.unwind[:1] == [name]:
                self.unwind.pop(0)
            return
        self.unfinished -= 1
        self.ready.pop(name, None)
        if status is not NodeStatus.SUCCEEDED:
            return
        for dependent in self._dependents[name]:
            self._blockers[dependent] -= 1
            if not self._blockers[dependent]:
                self.ready[dependent] = None

    def _enter(self, stage: Stage) -> None:
        if (self.stage, stage) not in STAGE_STEPS:
            raise errors.RunnerError(f"the run cannot go from {self.stage} to {stage}", code="RT901")
        self.stage = stage

    # One method an event; the table below binds them.

    def _on_created(self, record: events.Record, event: events.RunCreated) -> None:
        self.created = event
        self.started_at = record.at

    def _on_attached(self, record: events.Record, event: events.Attached) -> None:
        self.active_before = self.active

    def _on_started(self, record: events.Record, event: events.Started) -> None:
        node = self._move(event.node, NodeStatus.RUNNING, record)
        if not node.was_started:
            node.started_at, node.started_active = record.at, self.active
            if event.node in self._dependents:
                self.started.append(event.node)
        node.attempt = event.attempt
        node.looked = node.look_failed = False
        node.look_failures = 0
        node.settle = node.look_at = None
        self.running[event.node] = None
        self.ready.pop(event.node, None)

    def _on_succeeded(self, record: events.Record, event: events.Succeeded) -> None:
        node = self._move(event.node, NodeStatus.SUCCEEDED, record)
        node.outputs = event.outputs
        node.residue = None
        node.error = None

    def _on_gated(self, record: events.Record, event: events.Gated) -> None:
        self._move(event.node, NodeStatus.WAITING, record).gate = event

    def _on_attempt_failed(self, record: events.Record, event: events.AttemptFailed) -> None:
        self._move(event.node, NodeStatus.ATTEMPT_FAILED, record).error = event.error

    def _on_retrying(self, record: events.Record, event: events.RetryScheduled) -> None:
        node = self._move(event.node, NodeStatus.RETRYING, record)
        node.retries += 1
        node.retry_at = event.until

    def _on_looked_for(self, record: events.Record, event: events.LookedFor) -> None:
        node = self.nodes[event.node]
        node.looked = True
        if event.outputs is not None:
            node.residue = event.outputs

    def _on_look_failed(self, record: events.Record, event: events.LookFailed) -> None:
        node = self.nodes[event.node]
        node.look_failures += 1
        node.look_at = event.until
        node.looked = node.look_failed = event.until is None

    def _on_failed(self, record: events.Record, event: events.Failed) -> None:
        node = self._move(event.node, NodeStatus.FAILED, record)
        if node.error is None:
            raise errors.RunnerError(f"{event.node} failed without an error", code="RT901")
        if self.committed:
            self.warnings.append((event.node, node.error.message))
        else:
            self.failures.append((event.node, node.error))

    def _on_cancelled(self, record: events.Record, event: events.NodeCancelled) -> None:
        self._move(event.node, NodeStatus.CANCELLED, record)

    def _on_in_doubt(self, record: events.Record, event: events.InDoubt) -> None:
        self._move(event.node, NodeStatus.IN_DOUBT, record).error = event.error

    def _on_residue(self, record: events.Record, event: events.Residue) -> None:
        self.nodes[event.node].residue = event.outputs

    def _on_settled(self, record: events.Record, event: events.Settled) -> None:
        self.requests.add(event.request)
        self.nodes[event.node].settle = event.how

    def _on_approved(self, record: events.Record, event: events.Approved) -> None:
        self.requests.add(event.request)
        self.nodes[event.node].approval = event

    def _on_warned(self, record: events.Record, event: events.Warned) -> None:
        self.warnings.append((event.node, event.message))

    def _on_cancel_requested(self, record: events.Record, event: events.CancelRequested) -> None:
        self.requests.add(event.request)
        if self.stage in (Stage.FORWARD, Stage.COMMITTING):
            self.cancel_requested = True
            self.cancelled_first = not self.failures

    def _on_stopped(self, record: events.Record, event: events.Stopped) -> None:
        self.failures.append(("", event.error))

    def _on_commit_started(self, record: events.Record, event: events.CommitStarted) -> None:
        self._enter(Stage.COMMITTING)

    def _on_committed(self, record: events.Record, event: events.Committed) -> None:
        self.committed = event

    def _on_commit_failed(self, record: events.Record, event: events.CommitFailed) -> None:
        self.failures.append(("", event.error))

    def _on_unwinding(self, record: events.Record, event: events.Unwinding) -> None:
        self._enter(Stage.UNWINDING)
        self.unwind = list(event.order)
        for node in self.plan.nodes:
            if self.nodes[node.id].status is NodeStatus.PENDING:
                self._move(node.id, NodeStatus.NOT_RUN, record)

    def _on_deferring(self, record: events.Record, event: events.Deferring) -> None:
        self._enter(Stage.DEFERRING)

    def _on_finished(self, record: events.Record, event: events.Finished) -> None:
        self._enter(Stage.FINISHED)
        self.finished = event.status
        self.finished_at = record.at


_FOLDS: Mapping[type, Callable[[RunState, events.Record, Any], None]] = {
    events.RunCreated: RunState._on_created,
    events.Attached: RunState._on_attached,
    events.Started: RunState._on_started,
    events.Succeeded: RunState._on_succeeded,
    events.Gated: RunState._on_gated,
    events.AttemptFailed: RunState._on_attempt_failed,
    events.RetryScheduled: RunState._on_retrying,
    events.LookedFor: RunState._on_looked_for,
    events.LookFailed: RunState._on_look_failed,
    events.Failed: RunState._on_failed,
    events.NodeCancelled: RunState._on_cancelled,
    events.InDoubt: RunState._on_in_doubt,
    events.Residue: RunState._on_residue,
    events.Settled: RunState._on_settled,
    events.Approved: RunState._on_approved,
    events.Warned: RunState._on_warned,
    events.CancelRequested: RunState._on_cancel_requested,
    events.Stopped: RunState._on_stopped,
    events.CommitStarted: RunState._on_commit_started,
    events.Committed: RunState._on_committed,
    events.CommitFailed: RunState._on_commit_failed,
    events.Unwinding: RunState._on_unwinding,
    events.Deferring: RunState._on_deferring,
    events.Finished: RunState._on_finished,
}


def _all_nodes(plan: Plan) -> Iterator[PlanNode]:
    """Yield the phases, each followed by its undo nodes, then the deferred node."""
    for node in plan.nodes:
        yield node
        for undo in (node.revert, node.cleanup):
            if undo is not None:
                yield undo
    if plan.defer is not None:
        yield plan.defer
