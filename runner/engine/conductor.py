"""Decides what a run does next: a pure function of the plan, the state and the time.

It starts nothing, waits for nothing and remembers nothing; the executor carries its commands out, journals what became
of them, and asks again. Asking twice without an event in between gives the same answer, so commands must be harmless
to repeat until their event is folded. Its cost does not grow with the plan: it looks at what is ready, running or
undecided, never at all nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from runner.base import cancel, clock
from runner.engine import commands as cmd
from runner.engine import unwind
from runner.engine.commands import Command, Decision
from runner.engine.run_state import NodeState, RunState
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
        """Decide on every node that failed an attempt, waits, or is in doubt."""
        for name in self.state.undecided:
            node, plan = self.state.nodes[name], self.state.by_id[name]
            match node.status:
                case NodeStatus.ATTEMPT_FAILED:
                    self.commands.append(self._after_failure(plan, node))
                case NodeStatus.RETRYING:
                    self._retrying(plan, node)
                case NodeStatus.WAITING:
                    self._gated(name, node)
                case _:
                    self._in_doubt(plan, node)

    def _after_failure(self, plan: PlanNode, node: NodeState) -> Command:
        error = node.error
        if error is not None and error.kind == "cancelled":
            return cmd.Cancel(plan.id)
        retryable = error is not None and (error.kind in plan.retry.errors or error.code in plan.retry.errors)
        if self.stopping or not retryable or node.retries >= plan.retry.limit:
            return cmd.Fail(plan.id)
        return cmd.ScheduleRetry(plan.id)

    def _retrying(self, plan: PlanNode, node: NodeState) -> None:
        if self.stopping:
            self.commands.append(cmd.Fail(plan.id))
        elif node.retry_at is not None and self._is_ahead(clock.parse_isoformat(node.retry_at)):
            return
        elif not plan.has_find:
            self.commands.append(cmd.Start(plan.id, node.attempt + 1))
        elif not node.looked:
            self.commands.append(cmd.LookFor(plan.id))
        elif node.residue is not None:
            self.commands.append(cmd.Accept(plan.id, "found"))
        else:
            self.commands.append(cmd.Start(plan.id, node.attempt + 1))

    def _gated(self, name: str, node: NodeState) -> None:
        gate = node.gate
        if gate is None:
            return
        until = clock.parse_isoformat(gate.until) if gate.until else None
        if self.stopping:
            self.commands.append(cmd.Cancel(name))
        elif node.approval is not None:
            self.commands.append(cmd.Pass(name))
        elif until is not None and not self._is_ahead(until):
            self.commands.append(cmd.Expire(name) if gate.gate == "approval" else cmd.Pass(name))
        elif gate.gate == "approval":
            self.persons.append(name)

    def _in_doubt(self, plan: PlanNode, node: NodeState) -> None:
        """A lookup answers first, harmless repetition second, a person last.

        An abandoned attempt (it carries its error) counts as failed when it left nothing, so that its retry policy
        decides; one that a crash cut off simply runs again.
        """
        if node.settle is not None:
            self.commands.append(self._settled(plan, node))
        elif plan.has_find and not node.looked:
            self.commands.append(cmd.LookFor(plan.id))
        elif node.residue is not None:
            self.commands.append(cmd.Accept(plan.id, "found"))
        elif not (plan.has_find or plan.reads or plan.idempotent):
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
        elif state.unfinished == 0:
            self.commands.append(cmd.BeginCommit())
        else:
            room = width - len(state.running) - sum(isinstance(command, cmd.Start) for command in self.commands)
            for name, _ in zip(state.ready, range(max(room, 0)), strict=False):
                self.commands.append(cmd.Start(name, 1))

    def _give_up(self) -> None:
        """Interrupt what runs if the run itself is given up (after a failure it may finish), then unwind."""
        state = self.state
        reason = self._reason()
        if reason is not None:
            self.commands.extend(cmd.Interrupt(name, reason) for name in state.running)
        if state.running or state.undecided:
            return
        lookups = list(self._residues())
        self.commands.extend(lookups or [cmd.Unwind(unwind.order(state))])

    def _reason(self) -> cancel.Reason | None:
        if self.state.cancel_requested:
            return cancel.Reason.CANCELLED
        for source, error in self.state.failures:
            if not source:
                return cancel.Reason.DEADLINE if error.kind == "timeout" else cancel.Reason.CANCELLED
        return None

    def _residues(self) -> Iterator[Command]:
        """Look for what failed or cancelled creators have left, so that their reverts can remove it."""
        for name in self.state.started:
            node = self.state.nodes[name]
            creates = self.state.by_id[name].has_find and self.state.by_id[name].revert is not None
            if creates and node.status in (NodeStatus.FAILED, NodeStatus.CANCELLED) and not node.looked:
                yield cmd.LookFor(name)

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
            self.commands.append(cmd.Start(order[0], 1))

    def defer(self) -> None:
        """Run the deferred phase, then finish."""
        state = self.state
        node = state.plan.defer
        left = [node.id] if node is not None and not state.nodes[node.id].finished_at else []
        self.undo(left, cmd.Finish(unwind.outcome(state)))

    def _is_ahead(self, moment: datetime) -> bool:
        if moment <= self.now:
            return False
        self.wake_at = moment if self.wake_at is None else min(self.wake_at, moment)
        return True
