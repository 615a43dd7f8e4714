"""One action of a blueprint → its plan: what waits for what, and what the engine must know of each function."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from runner.base.diagnostic import Diagnostic, in_order
from runner.model import blueprint as blueprints
from runner.plan import cycles, edges, graph, names, plan
from runner.registry import args
from runner.registry import function as functions
from runner.registry import registry as registries

# What phases of our own language get whose functions may simply run again.
USUAL_RETRY = plan.Retry(limit=2)


def compile_plan(
    blueprint: blueprints.Blueprint, action_name: str, registry: registries.Registry
) -> tuple[plan.Plan | None, list[Diagnostic]]:
    """Make the plan of an action.

    Documents are checked by `runner.checks` first; here only what makes a plan impossible is reported.

    Returns:
        The plan, or None together with the findings that prevent it.
    """
    action = blueprint.actions.get(action_name)
    if action is None:
        return None, [names.action(blueprint, action_name)]
    waits = edges.waits(action, blueprint.level)
    found = [*_off_names(blueprint, action, registry), *cycles.find(blueprint, action, waits)]
    if found:
        return None, in_order(found)
    compiler = _Compiler(blueprint, registry)
    phases = {phase.name: phase for phase in action.phases}
    order = graph.order({name: [wait.edge.source for wait in waits[name]] for name in phases})
    nodes = tuple(compiler.phase(phases[name], tuple(wait.edge for wait in waits[name])) for name in order)
    made = plan.Plan(
        blueprint=blueprint.name,
        action=action.name,
        file=blueprint.file,
        nodes=nodes,
        defer=compiler.defer(action.defer) if action.defer else None,
        artifacts=action.output_artifacts,
        input_artifacts=action.input_artifact_names,
        timeout=action.timeout,
        concurrency=_concurrency(action.concurrency),
        secret_inputs=tuple(each.name for each in action.inputs.values() if each.secret),
    )
    return made, []


def calls(action: blueprints.Action) -> Iterable[blueprints.Call]:
    """Yield everything of an action that calls a function: phases, reverts, cleanups, the deferPhase."""
    for phase in (*action.phases, *([action.defer] if action.defer else [])):
        yield phase
        yield from (call for call in (phase.revert, phase.cleanup) if call is not None)


def is_idempotent(spec: functions.FunctionSpec, call: blueprints.Call) -> bool:
    """Tell whether a call may simply run again: its function says so, or its author does by an argument."""
    stated = spec.idempotent_argument is not None and call.arguments.get(spec.idempotent_argument) is True
    return spec.idempotent or stated


def retry_of(blueprint: blueprints.Blueprint, call: blueprints.Call) -> blueprints.RetrySpec | None:
    """Return what the document says about trying a call again, following the name of a policy."""
    return blueprint.retry_policies.get(call.retry) if isinstance(call.retry, str) else call.retry


def filled(written: blueprints.RetrySpec) -> plan.Retry:
    """Return a retry with the usual values for what the document leaves to the runner."""
    return plan.Retry(**{name: value for name, value in structs.asdict(written).items() if value is not None})


def _foreach(written: blueprints.Foreach | None) -> plan.Foreach | None:
    if written is None:
        return None
    return plan.Foreach(
        items=written.items,
        key=written.key or "",
        max_parallel=written.max_parallel,
        fail_fast=written.fail_fast,
    )


def _concurrency(written: blueprints.Concurrency | None) -> plan.Concurrency:
    if written is None:
        return plan.Concurrency()
    made = plan.Concurrency(group=written.group or "", queue=written.queue)
    return made if written.max_parallel is None else structs.replace(made, max_parallel=written.max_parallel)


def _off_names(
    blueprint: blueprints.Blueprint, action: blueprints.Action, registry: registries.Registry
) -> Iterable[Diagnostic]:
    yield from names.duplicates(blueprint, action)
    yield from names.needs(blueprint, action)
    for call in calls(action):
        for found in (names.function(blueprint, call, registry), names.policy(blueprint, call)):
            if found is not None:
                yield found


class _Compiler:
    def __init__(self, blueprint: blueprints.Blueprint, registry: registries.Registry) -> None:
        self._blueprint = blueprint
        self._registry = registry

    def phase(self, phase: blueprints.Phase, waits_for: tuple[plan.Edge, ...]) -> plan.PlanNode:
        """Compile a phase with its revert and cleanup."""
        made = self.node(phase.name, plan.NodeKind.PHASE, phase, phase.name)
        return structs.replace(
            made,
            edges=waits_for,
            when=phase.when or "",
            foreach=_foreach(phase.foreach),
            tolerate=phase.tolerate,
            outputs={
                name: plan.Output(type=each.type, secret=each.secret, description=each.description)
                for name, each in phase.outputs.items()
            },
            revert=self._undo(plan.NodeKind.REVERT, phase.revert, phase.name),
            cleanup=self._undo(plan.NodeKind.CLEANUP, phase.cleanup, phase.name),
        )

    def defer(self, phase: blueprints.Phase) -> plan.PlanNode:
        """Compile the deferPhase."""
        return structs.replace(self.node("defer", plan.NodeKind.DEFER, phase, phase.name), when=phase.when or "")

    def _undo(self, kind: plan.NodeKind, undo: blueprints.Undo | None, phase: str) -> plan.PlanNode | None:
        return None if undo is None else self.node(f"{kind}/{phase}", kind, undo, phase)

    def node(self, name_in_plan: str, kind: plan.NodeKind, call: blueprints.Call, phase: str) -> plan.PlanNode:
        """Compile one function call."""
        spec = self._registry.get(call.function)
        idempotent = is_idempotent(spec, call)
        return plan.PlanNode(
            id=name_in_plan,
            kind=kind,
            name=phase,
            function=call.function,
            arguments=call.arguments,
            pointer=call.pointer,
            timeout=call.timeout,
            retry=self._retry(call, idempotent=idempotent),
            exports=issubclass(spec.outputs, args.ExportOutputs),
            reads=spec.effects is functions.Effects.READS,
            idempotent=idempotent,
            has_find=spec.find is not None,
            description=call.description,
        )

    def _retry(self, call: blueprints.Call, *, idempotent: bool) -> plan.Retry:
        spec = retry_of(self._blueprint, call)
        if spec is None:
            is_own = self._blueprint.level is blueprints.Level.OWN
            return USUAL_RETRY if idempotent and is_own else plan.Retry()
        return filled(spec)
