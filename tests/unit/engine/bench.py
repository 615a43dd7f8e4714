"""A bench for tests of whole runs: a state directory, a scripted function, and plans made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydantic

from runner.base import clock as clocks
from runner.engine import drive
from runner.engine.control import Control
from runner.engine.request import Request
from runner.engine.run_state import RunState
from runner.engine.runs import RunDirectory, Runs
from runner.plan.plan import Edge, NodeKind, Plan, PlanNode, Why
from runner.registry import args, context
from runner.registry.function import Effects, FunctionSpec, function
from runner.registry.registry import Registry
from runner.testing.host import MemoryHost


class DoArgs(args.Arguments):
    value: str = args.argument("Passed through.", default="")
    password: args.SecretText = args.argument("A secret.", default="")


class DoOutputs(args.Outputs):
    model_config = pydantic.ConfigDict(**{**args.Outputs.model_config, "extra": "allow"})
    value: str = ""


class DoExport(args.ExportOutputs):
    pass


class Script:
    """Decides what each call of `Do` does: `script[node]` is a list of actions, one an attempt."""

    def __init__(self) -> None:
        self.actions: dict[str, list[Callable[[context.PhaseContext], Any]]] = {}
        self.calls: list[tuple[str, int, str]] = []
        self.found: dict[str, args.Outputs] = {}
        self.revealed: list[str] = []

    def export(self, name: str) -> DoExport:
        """Return the outputs of an export."""
        return DoExport(export=name, bytes_read=1, bytes_new=1, bytes_stored=1)

    def registry(self) -> Registry:
        @function("Do", effects=Effects.MUTATES, idempotent=False, dynamic_outputs=True)
        def do(ctx: context.PhaseContext, args: DoArgs) -> DoOutputs:
            """Do what the test says."""
            self.calls.append((ctx.phase, ctx.attempt, args.value))
            self.revealed.append(ctx.reveal(args.password))
            actions = self.actions.get(ctx.phase, [])
            returned = actions.pop(0)(ctx) if actions else None
            return returned if returned is not None else DoOutputs(value=args.value)

        @function("Export", effects=Effects.CREATES, idempotent=False)
        def export(ctx: context.PhaseContext, args: DoArgs) -> DoExport:
            """Pretend to export."""
            self.calls.append((ctx.phase, ctx.attempt, args.value))
            actions = self.actions.get(ctx.phase, [])
            if actions:
                actions.pop(0)(ctx)
            return self.export("e")

        @export.finder
        def find(ctx: context.PhaseContext, args: DoArgs, token: str) -> args_outputs | None:
            return self.found.get(ctx.phase)

        assert isinstance(do, FunctionSpec)
        return Registry([do, export])


args_outputs = args.Outputs


def node(name: str, after: tuple[str, ...] = (), kind: NodeKind = NodeKind.PHASE, **more: Any) -> PlanNode:
    arguments = more.pop("arguments", {"value": name})
    return PlanNode(
        id=name if kind is NodeKind.PHASE else f"{kind}/{name}",
        kind=kind,
        name=name,
        function=more.pop("function", "Do"),
        arguments=arguments,
        pointer="/actions/backup/phases/0",
        edges=tuple(Edge(source=source, why=Why.NEEDS) for source in after),
        **more,
    )


def plan(*nodes: PlanNode, **more: Any) -> Plan:
    return Plan(blueprint="b", action="backup", file="b.yaml", nodes=nodes, **more)


class Bench:
    """A state directory, a script and a host, with which tests start and resume runs."""

    def __init__(self, path: Path, clock: clocks.Clock) -> None:
        self.path = path
        self.script = Script()
        self.clock = clock
        self.runs = Runs(path, clock)
        self.host = MemoryHost(self.script.registry(), clock=clock)
        self.control = Control()

    def create(self, plan: Plan, inputs: Mapping[str, Any] | None = None) -> RunDirectory:
        return self.runs.create(Request(plan=plan, blueprint_text="", inputs=inputs or {}))

    def drive(self, run: RunDirectory, observer: Any = None) -> RunState:
        return drive.drive(run, self.host, observer, self.control, grace=timedelta(seconds=1))

    def run(self, plan: Plan, inputs: Mapping[str, Any] | None = None) -> RunState:
        return self.drive(self.create(plan, inputs))


def fail_with(error: Exception) -> Callable[[context.PhaseContext], None]:
    def act(ctx: context.PhaseContext) -> None:
        raise error

    return act
