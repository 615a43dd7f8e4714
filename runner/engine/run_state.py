"""The state of a run as a pure fold over its events: `RunState.apply` is the only thing that changes it.

The fold changes the state in place, since plans have thousands of nodes and each event touches one; it does no I/O,
asks no clock and starts nothing, so that replaying a journal always gives the state that its driver had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runner.base import errors
from runner.engine import events
from runner.engine.instances import Instances
from runner.engine.node_state import NodeState
from runner.engine.states import DONE, NODE_STEPS, STAGE_STEPS, TERMINAL, UNDECIDED, NodeStatus, Stage
from runner.plan import expand
from runner.plan.plan import NodeKind, Plan, PlanNode


class RunState:
    """Everything that is known of a run.

    Attributes:
        nodes: State of each node, undo nodes included; instances behind what the plan holds (see `in_order`).
        instances: The instances of each phase that has been expanded.
        ready: Phases whose predecessors are all done, in the order in which they became so; not yet started.
        running: Nodes with an attempt under way.
        undecided: Nodes for which the conductor must decide something.
        started: Phases in the order of their first start.
        failures: Errors that made the run fail, the first cause first.
        cancelled_first: Whether somebody asked to give the run up before anything had failed.
        unwind: Undo nodes still to run, first to run first.
        active: Seconds for which the run has been driven, over all drivers; time in which nobody did does not count.
        active_before: The same, without the current driver.
        queued: Seconds of `active` in which the run only waited for its concurrency group.
        behind: Says which run has the concurrency group, while this one waits for it.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.by_id: dict[str, PlanNode] = {}
        self.nodes: dict[str, NodeState] = {}
        self.instances: dict[str, Instances] = {}
        for node in _all_nodes(plan):
            self._add(node)
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
        self.queued = 0.0
        self.behind: str | None = None
        self.is_admitted = not plan.concurrency.group
        self.seq = -1

    @property
    def is_stopping(self) -> bool:
        """Whether no further phase is to start."""
        return bool(self.failures) or self.cancel_requested

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended."""
        return self.finished is not None

    def in_order(self) -> Iterator[str]:
        """Yield all nodes in the order of the plan, the instances of a phase behind it."""
        for plan in self.plan.nodes:
            yield from (node.id for node in _with_undo(plan))
            instances = self.instances.get(plan.id)
            for name in instances.nodes if instances else ():
                yield from (node.id for node in _with_undo(self.by_id[name]))
        if self.plan.defer is not None:
            yield self.plan.defer.id

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
            node.duration = self.active - node.started_active if node.started_at else None
            self._ended(name, to, record)
        return node

    def _ended(self, name: str, status: NodeStatus, record: events.Record) -> None:
        plan = self.by_id[name]
        if plan.kind is not NodeKind.PHASE:
            if self.unwind[:1] == [name]:
                self.unwind.pop(0)
            return
        self.unfinished -= 1
        self.ready.pop(name, None)
        if plan.key:
            self._instance_ended(plan.name, record)
        elif status in DONE:
            for dependent in self._dependents[name]:
                self._blockers[dependent] -= 1
                if not self._blockers[dependent]:
                    self.ready[dependent] = None

    def _instance_ended(self, phase: str, record: events.Record) -> None:
        instances = self.instances[phase]
        following = instances.ended()
        if following is not None:
            self.ready[following] = None
        if instances.is_over:
            statuses = {self.nodes[name].status for name in instances.nodes}
            self._move(phase, instances.outcome(statuses), record)

    def _add(self, node: PlanNode) -> None:
        for each in _with_undo(node):
            self.by_id[each.id] = each
            self.nodes[each.id] = NodeState()

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

    def _on_queued(self, record: events.Record, event: events.Queued) -> None:
        self.behind = event.message

    def _on_admitted(self, record: events.Record, event: events.Admitted) -> None:
        self.is_admitted = True
        self.behind = None
        self.queued = self.active

    def _on_skipped(self, record: events.Record, event: events.Skipped) -> None:
        self._move(event.node, NodeStatus.SKIPPED, record).reason = event.reason

    def _on_expanded(self, record: events.Record, event: events.Expanded) -> None:
        plan = self.by_id[event.node]
        if plan.foreach is None:
            raise errors.RunnerError(f"{event.node} is expanded without a foreach", code="RT901")
        node = self._move(event.node, NodeStatus.EXPANDED, record)
        node.started_at, node.started_active = record.at, self.active
        self.ready.pop(event.node, None)
        made = expand.instances(plan, event.items)
        for instance in made:
            self._add(instance)
        instances = self.instances[event.node] = Instances(plan.foreach, event.items, made)
        self.unfinished += len(made)
        self.ready.update(dict.fromkeys(instances.first()))
        if instances.is_over:
            self._move(event.node, NodeStatus.SUCCEEDED, record).reason = "there is no item"

    def _on_refused(self, record: events.Record, event: events.Refused) -> None:
        self.nodes[event.node].error = event.error
        self._fail(event.node, record)

    def _on_started(self, record: events.Record, event: events.Started) -> None:
        node = self._move(event.node, NodeStatus.RUNNING, record)
        if not node.was_started:
            node.started_at, node.started_active = record.at, self.active
            if self.by_id[event.node].kind is NodeKind.PHASE:
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
        self._fail(event.node, record)

    def _fail(self, name: str, record: events.Record) -> None:
        error = self._error(name)
        self._move(name, NodeStatus.FAILED, record)
        if self.committed:
            self.warnings.append((name, error.message))
        else:
            self.failures.append((name, error))

    def _error(self, name: str) -> events.ErrorValue:
        error = self.nodes[name].error
        if error is None:
            raise errors.RunnerError(f"{name} failed without an error", code="RT901")
        return error

    def _on_tolerated(self, record: events.Record, event: events.Tolerated) -> None:
        self._move(event.node, NodeStatus.TOLERATED, record)
        self.warnings.append((event.node, f"failed, and the action went on: {self._error(event.node).message}"))

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
        for name, node in self.by_id.items():
            if node.kind is NodeKind.PHASE and self.nodes[name].status is NodeStatus.PENDING:
                self._move(name, NodeStatus.NOT_RUN, record)

    def _on_deferring(self, record: events.Record, event: events.Deferring) -> None:
        self._enter(Stage.DEFERRING)

    def _on_finished(self, record: events.Record, event: events.Finished) -> None:
        self._enter(Stage.FINISHED)
        self.finished = event.status
        self.finished_at = record.at


_FOLDS: Mapping[type, Callable[[RunState, events.Record, Any], None]] = {
    events.RunCreated: RunState._on_created,
    events.Attached: RunState._on_attached,
    events.Queued: RunState._on_queued,
    events.Admitted: RunState._on_admitted,
    events.Skipped: RunState._on_skipped,
    events.Expanded: RunState._on_expanded,
    events.Refused: RunState._on_refused,
    events.Started: RunState._on_started,
    events.Succeeded: RunState._on_succeeded,
    events.Gated: RunState._on_gated,
    events.AttemptFailed: RunState._on_attempt_failed,
    events.RetryScheduled: RunState._on_retrying,
    events.LookedFor: RunState._on_looked_for,
    events.LookFailed: RunState._on_look_failed,
    events.Failed: RunState._on_failed,
    events.Tolerated: RunState._on_tolerated,
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
    """Yield the phases, then the deferred node."""
    yield from plan.nodes
    if plan.defer is not None:
        yield plan.defer


def _with_undo(node: PlanNode) -> Iterator[PlanNode]:
    """Yield a node and its undo nodes; those of a phase with `foreach` belong to its instances."""
    yield node
    for undo in (node.revert, node.cleanup):
        if undo is not None and node.foreach is None:
            yield undo
