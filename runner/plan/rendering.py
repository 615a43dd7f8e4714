"""Every argument of a plan, rendered with what is known and without running anything: phases, undo nodes, artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from runner.plan import foretell, knowledge, outlook, plan
from runner.plan.foretell import Argument
from runner.plan.knowledge import Knowledge
from runner.plan.outlook import Prospect


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One function call; that of a phase whose items are not known stands for all of its instances.

    Attributes:
        id: As in a run: `NAME`, `NAME/KEY`, `revert/…`, `cleanup/…`, `defer`.
        prospect: What can be told of the phase that it belongs to.
    """

    id: str
    node: plan.PlanNode
    prospect: Prospect
    arguments: tuple[Argument, ...]


class Rendering(msgspec.Struct, frozen=True, kw_only=True):
    """All calls in the order of the plan, undo nodes behind their phase, and the artifacts by name."""

    plan: plan.Plan
    calls: tuple[Call, ...]
    artifacts: Mapping[str, tuple[Argument, ...]]

    @property
    def is_sound(self) -> bool:
        """Whether nothing failed of what could be rendered."""
        arguments = [each for call in self.calls for each in call.arguments]
        arguments += [each for values in self.artifacts.values() for each in values]
        failed = any(each.problem for each in arguments)
        return not failed and not any(call.prospect.problems for call in self.calls)


def rendered(made: plan.Plan, known: Knowledge, only: str | None = None) -> Rendering:
    """Render everything, or what belongs to one phase."""
    seen = outlook.look(made, known)
    roots = knowledge.roots(known, knowledge.phases(known, [node.id for node in made.nodes]))
    prospects = [*seen.phases, *([seen.defer] if seen.defer is not None else [])]
    return Rendering(
        plan=made,
        calls=tuple(call for found in prospects if only in (None, found.node.name) for call in _calls(found, roots)),
        artifacts=seen.artifacts if only is None else {},
    )


def _calls(found: Prospect, roots: Mapping[str, object]) -> Iterator[Call]:
    node = found.node
    if found.instances is None:
        own = {**roots, **outlook.some_item(roots)} if node.foreach is not None else roots
        # What is skipped has no arguments in the outlook, but whoever writes it wants to see them.
        arguments = found.arguments or foretell.arguments(node.arguments, own)
        yield Call(id=node.id, node=node, prospect=found, arguments=arguments)
        yield from _undo(found, own, "")
        return
    for each in found.instances:
        yield Call(id=f"{node.id}/{each.key}", node=node, prospect=found, arguments=each.arguments)
        yield from _undo(found, {**roots, **each.roots, "phases": _own(roots, node.id, each.key)}, f"/{each.key}")


def _undo(found: Prospect, roots: Mapping[str, object], suffix: str) -> Iterator[Call]:
    for node in (found.node.revert, found.node.cleanup):
        if node is not None:
            arguments = foretell.arguments(node.arguments, roots)
            yield Call(id=f"{node.id}{suffix}", node=node, prospect=found, arguments=arguments)


def _own(roots: Mapping[str, object], phase: str, key: str) -> Mapping[str, object]:
    """Return the data of phases as the undo nodes of an instance see it: their phase has its outputs."""
    phases = roots["phases"]
    assert isinstance(phases, Mapping)
    data = phases[phase]
    if isinstance(data, knowledge.Later) or not isinstance(data, Mapping):
        return phases
    each = data.get("each")
    return {**phases, phase: each.get(key, knowledge.ended(f"{phase}/{key}")) if isinstance(each, Mapping) else data}
