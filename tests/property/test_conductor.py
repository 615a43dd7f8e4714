"""Any plan, any outcomes, any crash: the conductor ends the run, undoes what must be undone, and repeats nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
from hypothesis import strategies as st

from runner.base import clock as clocks
from runner.engine import commands as cmd
from runner.engine import conductor, events
from runner.engine.run_state import RunState
from runner.engine.states import DONE, TERMINAL, NodeStatus, Stage
from runner.plan.plan import Concurrency, Edge, Foreach, NodeKind, Plan, PlanNode, Retry, Why
from tests import effort

START = datetime(2026, 1, 1, tzinfo=UTC)


def foreachs() -> st.SearchStrategy[Foreach]:
    return st.builds(Foreach, items=st.just("any"), max_parallel=st.sampled_from([None, 1]), fail_fast=st.booleans())


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    nodes = []
    for index in range(draw(st.integers(1, 6))):
        sources = draw(st.sets(st.integers(0, index - 1), max_size=2)) if index else set()
        kind = draw(st.sampled_from(["reads", "idempotent", "find", "opaque"]))
        nodes.append(
            PlanNode(
                id=f"p{index}",
                kind=NodeKind.PHASE,
                name=f"p{index}",
                function="F",
                arguments={},
                pointer="",
                edges=tuple(Edge(source=f"p{source}", why=Why.NEEDS) for source in sorted(sources)),
                when=draw(st.sampled_from(["", "", "maybe"])),
                foreach=draw(st.one_of(st.none(), foreachs())),
                tolerate=draw(st.booleans()),
                retry=Retry(limit=draw(st.integers(0, 2)), errors=("transient", "timeout")),
                reads=kind == "reads",
                idempotent=kind == "idempotent",
                has_find=kind == "find",
                revert=_undo("revert", index) if draw(st.booleans()) else None,
                cleanup=_undo("cleanup", index) if draw(st.booleans()) else None,
            )
        )
    when = draw(st.sampled_from(["", "maybe"]))
    defer = PlanNode(id="defer", kind=NodeKind.DEFER, name="defer", function="F", arguments={}, pointer="", when=when)
    return Plan(
        blueprint="b",
        action="a",
        file="f",
        nodes=tuple(nodes),
        defer=defer if draw(st.booleans()) else None,
        concurrency=Concurrency(group=draw(st.sampled_from(["", "g"]))),
    )


def _undo(kind: str, index: int) -> PlanNode:
    return PlanNode(
        id=f"{kind}/p{index}",
        kind=NodeKind(kind),
        name=f"p{index}",
        function="U",
        arguments={},
        pointer="",
        idempotent=True,
        retry=Retry(limit=1),
    )


@dataclass
class World:
    """Plays executor, functions, people and crashes; `things` counts what each phase has created."""

    plan: Plan
    dice: random.Random
    crashes: int
    log: list[events.Record] = field(default_factory=list)
    things: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    in_flight: list[tuple[str, int, str]] = field(default_factory=list)
    now: datetime = START
    may_cancel: bool = True

    def __post_init__(self) -> None:
        self.state = RunState(self.plan)
        self.emit(events.RunCreated(run="r", nonce="n", request={}))
        self.emit(events.Attached(pid=1, host="h"))

    def emit(self, event: events.Event) -> None:
        record = events.Record(seq=len(self.log), at=clocks.isoformat(self.now), elapsed=0.0, event=event)
        self.log.append(record)
        self.state.apply(record)

    def run(self) -> None:
        for _ in range(2000):
            decision = conductor.decide(self.state, self.now, width=self.dice.randint(1, 3))
            again = conductor.decide(self.state, self.now, width=3)
            assert decision.persons == again.persons
            before = len(self.log)
            for command in decision.commands:
                self.carry_out(command)
            if self.state.is_finished:
                return
            if self.crashes and self.dice.random() < 0.15:
                self.crash()
            elif self.may_cancel and self.dice.random() < 0.02:
                self.may_cancel = False
                self.emit(events.CancelRequested(request="c"))
            elif self.in_flight and (len(self.log) == before or self.dice.random() < 0.7):
                self.finish_one()
            elif len(self.log) == before and cmd.Admit() not in decision.commands:
                self.let_time_pass(decision)
        raise AssertionError("the run does not end")

    def let_time_pass(self, decision: cmd.Decision) -> None:
        if decision.wake_at is not None:
            self.now = max(self.now, decision.wake_at)
        elif decision.persons:
            how = self.dice.choice(["rerun", "succeeded", "failed"])
            self.emit(events.Settled(node=decision.persons[0], how=how, request=f"s{len(self.log)}"))
        else:
            raise AssertionError("nothing is under way and nothing is decided")

    def carry_out(self, command: cmd.Command) -> None:
        match command:
            case cmd.Start(node=name, attempt=number):
                self.start(name, number)
            case cmd.Resolve(node=name):
                self.resolve(name)
            case cmd.Admit():
                if self.dice.random() < 0.5:
                    self.emit(events.Admitted())
            case cmd.LookFor(node=name):
                if self.dice.random() < 0.2:
                    until = clocks.isoformat(self.now + timedelta(seconds=1)) if self.dice.random() < 0.5 else None
                    self.emit(events.LookFailed(node=name, error=_error("transient"), until=until))
                else:
                    found = {"id": name} if self.things.get(name) else None
                    self.emit(events.LookedFor(node=name, outputs=found))
            case cmd.Accept(node=name, how=how):
                state = self.state.nodes[name]
                self.emit(events.Succeeded(node=name, attempt=state.attempt, outputs=state.residue or {}, how=how))
            case cmd.Doubt(node=name):
                number = self.state.nodes[name].attempt
                self.emit(events.AttemptFailed(node=name, attempt=number, error=_error("permanent")))
            case cmd.ScheduleRetry(node=name):
                self.emit(events.RetryScheduled(node=name, until=clocks.isoformat(self.now + timedelta(seconds=5))))
            case cmd.Fail(node=name):
                self.emit(events.Failed(node=name))
            case cmd.Tolerate(node=name):
                assert self.state.by_id[name].tolerate
                self.emit(events.Tolerated(node=name))
            case cmd.Cancel(node=name):
                self.emit(events.NodeCancelled(node=name))
            case cmd.Interrupt(node=name):
                self.in_flight = [(n, a, "cancelled" if n == name else o) for n, a, o in self.in_flight]
            case cmd.BeginCommit():
                self.emit(events.CommitStarted())
            case cmd.Commit():
                if self.dice.random() < 0.9:
                    self.emit(events.Committed(artifacts={}, restore_point=None))
                else:
                    self.emit(events.CommitFailed(error=_error("permanent")))
            case cmd.Unwind(order=order):
                self.emit(events.Unwinding(order=order))
            case cmd.Defer():
                self.emit(events.Deferring())
            case cmd.Finish(status=status):
                self.emit(events.Finished(status=status))

    def start(self, name: str, number: int) -> None:
        self.may_start(name)
        self.emit(events.Started(node=name, attempt=number))
        self.calls.append(name)
        self.in_flight.append((name, number, self.dice.choice(["ok", "ok", "ok", "transient", "permanent"])))

    def resolve(self, name: str) -> None:
        """Ask the condition and the items of a node; it is equally likely that they come to anything."""
        node = self.state.by_id[name]
        self.may_start(name)
        if node.when and self.dice.random() < 0.4:
            self.emit(events.Skipped(node=name, reason="chance"))
        elif self.dice.random() < 0.1:
            self.emit(events.Refused(node=name, error=_error("permanent")))
        elif node.foreach is not None:
            self.emit(
                events.Expanded(node=name, items={f"k{number}": number for number in range(self.dice.randrange(4))})
            )
        else:
            self.start(name, 1)

    def may_start(self, name: str) -> None:
        node, state = self.state.by_id[name], self.state
        if node.kind is NodeKind.PHASE:
            assert not state.is_stopping
            assert state.is_admitted
            for edge in self.state.by_id[node.name].edges:
                assert state.nodes[edge.source].status in DONE
            if node.key:
                self.may_run_beside(node)
        elif node.kind is NodeKind.DEFER:
            assert state.stage is Stage.DEFERRING
        else:
            assert state.stage is Stage.UNWINDING
            assert not state.running, "undo runs one at a time"
        if node.kind is NodeKind.REVERT and state.committed is not None:
            assert state.nodes[name.removeprefix("revert/")].status is NodeStatus.TOLERATED

    def may_run_beside(self, node: PlanNode) -> None:
        foreach = self.state.by_id[node.name].foreach
        assert foreach is not None
        siblings = [name for name in self.state.instances[node.name].nodes if name in self.state.running]
        assert len(siblings) < (foreach.max_parallel or 9)

    def finish_one(self) -> None:
        name, number, outcome = self.in_flight.pop(self.dice.randrange(len(self.in_flight)))
        if outcome == "ok":
            self.act(name)
            self.emit(events.Succeeded(node=name, attempt=number, outputs={"id": name}))
        else:
            if outcome != "cancelled" and self.dice.random() < 0.3:
                self.act(name)  # it failed after it had created something
            self.emit(events.AttemptFailed(node=name, attempt=number, error=_error(outcome)))

    def act(self, name: str) -> None:
        """Do to the world what the function of a node does; only creators with `find` leave countable things."""
        node = self.state.by_id[name]
        if node.kind is NodeKind.PHASE and node.has_find:
            self.things[name] = self.things.get(name, 0) + 1
        elif node.kind is NodeKind.REVERT:
            self.things[node.id.removeprefix("revert/")] = 0

    def crash(self) -> None:
        """Die: attempts under way may or may not have acted; a new driver folds the journal and goes on."""
        self.crashes -= 1
        for name, _, _ in self.in_flight:
            if self.dice.random() < 0.5:
                self.act(name)
        self.in_flight.clear()
        replayed = RunState(self.plan)
        for record in self.log:
            replayed.apply(record)
        assert replayed.nodes == self.state.nodes
        assert conductor.decide(replayed, self.now, width=3) == conductor.decide(self.state, self.now, width=3)
        self.state = replayed
        self.emit(events.Attached(pid=2, host="h"))
        for name in list(self.state.running):
            self.emit(events.InDoubt(node=name, attempt=self.state.nodes[name].attempt))


def _error(kind: str) -> events.ErrorValue:
    return events.ErrorValue(code="RT200", message="no", kind=kind)


@hypothesis.settings(
    max_examples=effort.examples(150), deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(plan=plans(), seed=st.integers(0, 2**32), crashes=st.integers(0, 3))
def test_every_interleaving_ends_with_everything_accounted_for(plan: Plan, seed: int, crashes: int) -> None:
    world = World(plan, random.Random(seed), crashes)
    world.run()
    state = world.state

    for name, node in state.by_id.items():
        assert node.kind in (NodeKind.REVERT, NodeKind.CLEANUP) or state.nodes[name].status in TERMINAL
    assert sorted(state.in_order()) == sorted(state.nodes)
    assert (state.committed is not None) == (state.finished == "succeeded")
    _check_unwind(world)
    _check_things(world)


def _check_unwind(world: World) -> None:
    state = world.state
    done = [name for name, node in state.nodes.items() if node.was_started and name.startswith(("revert/", "cleanup/"))]
    wanted = []
    for name in reversed(state.started):
        plan, node = state.by_id[name], state.nodes[name]
        if plan.cleanup:
            wanted.append(plan.cleanup.id)
        is_wanted = node.status is NodeStatus.SUCCEEDED and state.committed is not None
        if plan.revert and not is_wanted and (node.status is NodeStatus.SUCCEEDED or node.residue):
            wanted.append(plan.revert.id)
    order = [call for call in dict.fromkeys(world.calls) if call.startswith(("revert/", "cleanup/"))]
    assert order == wanted
    assert sorted(done) == sorted(wanted)
    if world.plan.defer is not None:
        assert state.nodes["defer"].was_started or world.plan.defer.when


def _check_things(world: World) -> None:
    """A creator with `find` leaves exactly one thing when the run commits, none when its revert ran."""
    state = world.state
    for node in state.by_id.values():
        if not node.has_find or node.foreach is not None:
            continue
        count, status = world.things.get(node.id, 0), state.nodes[node.id].status
        settled = any(isinstance(r.event, events.Settled) and r.event.node == node.id for r in world.log)
        if status is NodeStatus.SUCCEEDED and state.committed is not None and not settled:
            assert count == 1
        reverted = node.revert is not None and state.nodes[node.revert.id].status is NodeStatus.SUCCEEDED
        if reverted:
            assert count == 0
        is_left = state.committed is None or status is NodeStatus.TOLERATED
        if node.revert is not None and is_left and count and not settled:
            undone = state.nodes[node.revert.id]
            assert undone.status is NodeStatus.FAILED or state.nodes[node.id].look_failed


def test_a_phase_that_cannot_be_looked_up_waits_for_a_person_after_a_crash() -> None:
    node = PlanNode(id="p", kind=NodeKind.PHASE, name="p", function="F", arguments={}, pointer="")
    world = World(Plan(blueprint="b", action="a", file="f", nodes=(node,)), random.Random(1), 0)
    world.carry_out(cmd.Start("p", 1))
    world.crash()

    decision = conductor.decide(world.state, START, width=1)

    assert decision == cmd.Decision(persons=("p",))


@pytest.mark.parametrize("kind", ["reads", "idempotent"])
def test_a_harmless_phase_runs_again_after_a_crash(kind: str) -> None:
    node = PlanNode(
        id="p",
        kind=NodeKind.PHASE,
        name="p",
        function="F",
        arguments={},
        pointer="",
        reads=kind == "reads",
        idempotent=kind == "idempotent",
    )
    world = World(Plan(blueprint="b", action="a", file="f", nodes=(node,)), random.Random(1), 0)
    world.carry_out(cmd.Start("p", 1))
    world.crash()

    assert conductor.decide(world.state, START, width=1).commands == (cmd.Start("p", 2),)
