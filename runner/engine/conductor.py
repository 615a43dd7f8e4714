"""Decides what a run does next: a pure function of the plan, the state and the time.

It starts nothing, waits for nothing and remembers nothing; the executor carries its commands out, journals what became
of them, and asks again. Asking twice without an event in between gives the same answer, so commands must be harmless
to repeat until their event is folded. Its cost does not grow with the plan: it looks at what is ready, running or
undecided, never at all nodes.
"""

from __future__ import annotations

from datetime import datetime

from runner.base import cancel, clock
from runner.engine import commands as cmd
from runner.engine import unwind
from runner.engine.commands import Command, Decision
from runner.engine.node_state import NodeState
from runner.engine.run_state import RunState
from runner.engine.states import NodeStatus, Stage
from runner.plan.plan import PlanNode


def decide(state: RunState, now: datetime, *, width: int) -> Decision:
    """Return what is to be done now; `width` is the most attempts that may run at once."""
    turn = _Turn(state, now)
    turn.undecided()
    match state.stage:
        case Stage.FORWARD:
            turn.forward(width)
        case Stage.COMMITTING:
            turn.commit()
        case Stage.UNWINDING:
            turn.undo(state.unwind, cmd.Defer())
        case Stage.DEFERRING:
            turn.defer()
        case Stage.FINISHED:
            pass
    return Decision(commands=tuple(turn.commands), wake_at=turn.wake_at, persons=tuple(turn.persons))


class _Turn:
    """One decision in the making."""

    def __init__(self, state: RunState, now: datetime) -> None:
        self.state = state
        self.now = now
        self.commands: list[Command] = []
        self.persons: list[str] = []
        self.wake_at: datetime | None = None
        # Undo goes on whatever happens; only phases are given up with the run.
        self.stopping = state.is_stopping and state.stage in (Stage.FORWARD, Stage.COMMITTING)

    def undecided(self) -> None:
        """Decide on every node that failed an attempt, waits, or is in doubt.

        If one fails for good, nothing gets another attempt, not even in the same turn.
        """
        for name in self.state.undecided:
            self._pending(self.state.by_id[name], self.state.nodes[name])
        if self.state.stage is Stage.FORWARD and any(isinstance(command, cmd.Fail) for command in self.commands):
            self.stopping = True
            self.commands = [command for command in self.commands if not isinstance(command, cmd.Start)]

    def _pending(self, plan: PlanNode, node: NodeState) -> None:
        match node.status:
            case NodeStatus.ATTEMPT_FAILED:
                self._after_failure(plan, node)
            case NodeStatus.RETRYING:
                self._retrying(plan, node)
            case NodeStatus.WAITING:
                self._gated(plan.id, node)
            case NodeStatus.IN_DOUBT:
                self._in_doubt(plan, node)

    def _after_failure(self, plan: PlanNode, node: NodeState) -> None:
        error = node.error
        retryable = error is not None and (error.kind in plan.retry.errors or error.code in plan.retry.errors)
        if error is not None and error.kind == "cancelled":
            self.commands.append(cmd.Cancel(plan.id))
        elif self.stopping or not retryable or node.retries >= plan.retry.limit:
            self._fail(plan, node)
        else:
            self.commands.append(cmd.ScheduleRetry(plan.id))

    def _fail(self, plan: PlanNode, node: NodeState) -> None:
        """End a node that gets no further attempt.

        One that is tolerated must leave nothing behind that nobody knows of, so its `find` is asked first. A defect is
        never tolerated.
        """
        if not plan.tolerate or (node.error is not None and node.error.kind == "internal"):
            self.commands.append(cmd.Fail(plan.id))
        elif not plan.has_find or self._has_looked(plan, node):
            found = node.residue is not None
            self.commands.append(cmd.Accept(plan.id, "found") if found else cmd.Tolerate(plan.id))

    def _retrying(self, plan: PlanNode, node: NodeState) -> None:
        if self.stopping:
            self._fail(plan, node)
        elif self._is_due(node.retry_at) and (not plan.has_find or self._has_looked(plan, node)):
            self._again(plan, node)

    def _again(self, plan: PlanNode, node: NodeState) -> None:
        if node.look_failed:
            self._fail(plan, node)
        elif node.residue is not None:
            self.commands.append(cmd.Accept(plan.id, "found"))
        else:
            self.commands.append(cmd.Start(plan.id, node.attempt + 1))

    def _has_looked(self, plan: PlanNode, node: NodeState) -> bool:
        """Tell whether `find` has answered, or never will; ask it if it is time."""
        if not node.looked and self._is_due(node.look_at):
            self.commands.append(cmd.LookFor(plan.id))
        return node.looked

    def _gated(self, name: str, node: NodeState) -> None:
        gate = node.gate
        if gate is None:
            return
        if self.stopping:
            self.commands.append(cmd.Cancel(name))
        elif node.approval is not None:
            self.commands.append(cmd.Pass(name))
        elif gate.gate != "approval":
            if self._is_due(gate.until):
                self.commands.append(cmd.Pass(name))
        elif gate.until is not None and clock.parse_isoformat(gate.until) <= self.now:
            self.commands.append(cmd.Expire(name))
        else:
            # No wake-up for its expiry: nobody stays attached only to see an approval not come.
            self.persons.append(name)

    def _in_doubt(self, plan: PlanNode, node: NodeState) -> None:
        """A lookup answers first, harmless repetition second, a person last.

        An abandoned attempt (it carries its error) counts as failed when it left nothing, so that its retry policy
        decides; one that a crash cut off simply runs again.
        """
        if node.settle is not None:
            self.commands.append(self._settled(plan, node))
        elif plan.has_find and not self._has_looked(plan, node):
            return
        elif node.residue is not None:
            self.commands.append(cmd.Accept(plan.id, "found"))
        elif node.look_failed or not (plan.has_find or plan.reads or plan.idempotent):
            self.persons.append(plan.id)
        elif node.error is not None:
            self.commands.append(cmd.Doubt(plan.id))
        elif self.stopping:
            self.commands.append(cmd.Cancel(plan.id))
        else:
            self.commands.append(cmd.Start(plan.id, node.attempt + 1))

    def _settled(self, plan: PlanNode, node: NodeState) -> Command:
        match node.settle:
            case "succeeded":
                return cmd.Accept(plan.id, "settled")
            case "rerun" if not self.stopping:
                return cmd.Start(plan.id, node.attempt + 1)
            case "rerun":
                return cmd.Cancel(plan.id)
            case _:
                return cmd.Doubt(plan.id)

    def forward(self, width: int) -> None:
        """Start what is ready; once nothing is left to do, commit or unwind."""
        state = self.state
        if self.stopping:
            self._give_up()
        elif not state.is_admitted:
            self.commands.append(cmd.Admit())
        elif state.unfinished == 0:
            self.commands.append(cmd.BeginCommit())
        else:
            room = width - len(state.running) - sum(isinstance(command, cmd.Start) for command in self.commands)
            for name, _ in zip(state.ready, range(max(room, 0)), strict=False):
                self.commands.append(self._begin(name))
                if isinstance(self.commands[-1], cmd.Resolve):
                    break  # it may fail the run, and then nothing else is to start

    def _begin(self, name: str) -> Command:
        plan = self.state.by_id[name]
        return cmd.Resolve(name) if plan.when or plan.foreach is not None else cmd.Start(name, 1)

    def _give_up(self) -> None:
        """Interrupt what runs if the run itself is given up (after a failure it may finish), then unwind."""
        state = self.state
        reason = self._reason()
        if reason is not None:
            self.commands.extend(cmd.Interrupt(name, reason) for name in state.running)
        else:
            self._fail_fast()
        if not state.running and not state.undecided and self._are_residues_known():
            self.commands.append(cmd.Unwind(unwind.order(state)))

    def _fail_fast(self) -> None:
        """Interrupt the siblings of an instance that failed, where the phase says `failFast`."""
        for source, _ in self.state.failures:
            instances = self.state.instances.get(self.state.by_id[source].name) if source else None
            if instances is not None and instances.fail_fast:
                siblings = [name for name in instances.nodes if name in self.state.running]
                self.commands.extend(cmd.Interrupt(name, cancel.Reason.CANCELLED) for name in siblings)

    def _reason(self) -> cancel.Reason | None:
        if self.state.cancel_requested:
            return cancel.Reason.CANCELLED
        for source, error in self.state.failures:
            if not source:
                return cancel.Reason.DEADLINE if error.kind == "timeout" else cancel.Reason.CANCELLED
        return None

    def _are_residues_known(self) -> bool:
        """Look for what failed or cancelled creators have left, so that their reverts can remove it."""
        known = True
        for name in self.state.started:
            plan, node = self.state.by_id[name], self.state.nodes[name]
            leaves = plan.has_find and plan.revert is not None
            if leaves and node.status in (NodeStatus.FAILED, NodeStatus.CANCELLED):
                known = self._has_looked(plan, node) and known
        return known

    def commit(self) -> None:
        """Commit once; what was asked meanwhile comes too late if it succeeds."""
        if self.state.committed is None and not self.state.failures:
            self.commands.append(cmd.Commit())
        else:
            self.commands.append(cmd.Unwind(unwind.order(self.state)))

    def undo(self, order: list[str], after: Command) -> None:
        """Run the first undo node that is left, one at a time; then go on."""
        if not order:
            self.commands.append(after)
        elif self.state.nodes[order[0]].status is NodeStatus.PENDING:
            self.commands.append(self._begin(order[0]))

    def defer(self) -> None:
        """Run the deferred phase, then finish."""
        state = self.state
        node = state.plan.defer
        left = [node.id] if node is not None and not state.nodes[node.id].finished_at else []
        self.undo(left, cmd.Finish(unwind.outcome(state)))

    def _is_due(self, moment: str | None) -> bool:
        """Tell whether a moment (none: at once) has come; otherwise see to it that this is asked again then."""
        if moment is None:
            return True
        due = clock.parse_isoformat(moment)
        if due <= self.now:
            return True
        self.wake_at = due if self.wake_at is None else min(self.wake_at, due)
        return False
