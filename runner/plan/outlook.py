"""What can be told of a plan before it runs: what is skipped, which instances there are, which arguments are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec
from msgspec import structs

from runner.base import errors
from runner.base import span as spans
from runner.plan import expand, foretell, knowledge, plan
from runner.plan.knowledge import Knowledge, Source
from runner.registry import estimates
from runner.templates import bare, evaluate, expression


class Decision(StrEnum):
    """Whether a phase will run, as far as its `when` can be told."""

    RUNS = "runs"
    SKIPPED = "skipped"
    OPEN = "open"


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of a `foreach` whose items are known; `roots` are what only it can read."""

    key: str
    roots: Mapping[str, object]
    arguments: tuple[foretell.Argument, ...]


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """What can be told of one phase.

    Attributes:
        step: One more than the highest step among the phases that it waits for.
        waits_for: What its `when` depends on, where that is open.
        arguments: Its arguments; those that depend on the item are open for a phase with instances.
        instances: Its instances; None where the items are not known, or there is no `foreach`.
        items_from: What its items depend on, where they are not known.
        problems: Why its `when`, its items or its arguments are bound to fail.
        size: How much data it would read, where that can be told.
        way: How it would read the blocks of a volume, where that can be told.
    """

    node: plan.PlanNode
    step: int
    decision: Decision = Decision.RUNS
    waits_for: tuple[Source, ...] = ()
    arguments: tuple[foretell.Argument, ...] = ()
    instances: tuple[Instance, ...] | None = None
    items_from: tuple[Source, ...] = ()
    problems: tuple[errors.RunnerError, ...] = ()
    size: estimates.Size | None = None
    way: estimates.Way | None = None

    @property
    def dooms(self) -> Iterator[errors.RunnerError]:
        """What makes the action fail for sure; a tolerated phase may fail for its arguments."""
        return (each for each in self.problems if not (self.node.tolerate and "argument" in each.context))

    @property
    def calls(self) -> Sequence[tuple[foretell.Argument, ...]]:
        """The arguments of each call that will be made, as far as the calls are known."""
        if self.instances is not None:
            return [instance.arguments for instance in self.instances]
        return [] if self.node.foreach is not None else [self.arguments]


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """A plan with what can be told of it.

    Attributes:
        phases: In the order of the plan.
        defer: The arguments of the node that runs last.
        artifacts: What the action hands on, by name, as far as it is known.
        group: The concurrency group of the run, by the name `group`; None without one.
    """

    plan: plan.Plan
    phases: tuple[Prospect, ...]
    defer: Prospect | None
    artifacts: Mapping[str, tuple[foretell.Argument, ...]]
    group: foretell.Argument | None

    @property
    def is_sound(self) -> bool:
        """Whether nothing is known that makes a phase fail for sure."""
        return next(self.dooms(), None) is None

    def dooms(self) -> Iterator[tuple[str, errors.RunnerError]]:
        """Yield what makes the run fail for sure, each with the JSON Pointer of its place in the blueprint."""
        for each in self.phases:
            if each.decision is Decision.RUNS:
                yield from ((each.node.pointer + _place(found), found) for found in each.dooms)
        for name, keys in self.artifacts.items():
            place = spans.pointer(["actions", self.plan.action, "outputArtifacts", name, "keyValue"])
            yield from ((f"{place}{key.problem.context['argument']}", key.problem) for key in keys if key.problem)


def _place(problem: errors.RunnerError) -> str:
    """Return where in its phase a problem stands."""
    argument = problem.context.get("argument")
    return f"/{problem.context['key']}" if argument is None else f"/args{argument}"


def look(made: plan.Plan, known: Knowledge) -> Outlook:
    """Tell what can be told of a plan."""
    steps = steps_of(made)
    phases = knowledge.phases(known, [node.id for node in made.nodes])
    roots = knowledge.roots(known, phases)
    prospects = []
    for node in made.nodes:
        found = _prospect(node, steps[node.id], roots)
        if found.decision is Decision.SKIPPED:
            part = "outputs" if node.foreach is None else "each"
            phases[node.id] = {part: evaluate.Absent(f'phase "{node.id}" is skipped')}
        prospects.append(found)
    return Outlook(
        plan=made,
        phases=tuple(prospects),
        defer=None if made.defer is None else _prospect(made.defer, max(steps.values(), default=0) + 1, roots),
        artifacts={name: foretell.arguments(values, roots) for name, values in made.artifacts.items()},
        group=_group(made, roots),
    )


def untold(made: plan.Plan) -> Outlook:
    """Return the outlook of a plan of which nothing is to be told but its order."""
    steps = steps_of(made)
    last = max(steps.values(), default=0) + 1
    return Outlook(
        plan=made,
        phases=tuple(_untold(node, steps[node.id]) for node in made.nodes),
        defer=None if made.defer is None else _untold(made.defer, last),
        artifacts={},
        group=None,
    )


def _untold(node: plan.PlanNode, step: int) -> Prospect:
    return Prospect(node=node, step=step, decision=Decision.OPEN if node.when else Decision.RUNS)


def steps_of(made: plan.Plan) -> dict[str, int]:
    """Number the phases: one more than the highest number among those that a phase waits for."""
    steps: dict[str, int] = {}
    for node in made.nodes:  # each comes after what it waits for
        steps[node.id] = 1 + max((steps[edge.source] for edge in node.edges), default=0)
    return steps


def _prospect(node: plan.PlanNode, step: int, roots: Mapping[str, object]) -> Prospect:
    found = _decided(Prospect(node=node, step=step), roots)
    if found.decision is Decision.SKIPPED:
        return found
    if node.foreach is not None:
        found = _expanded(found, node.foreach, roots)
        roots = {**roots, **some_item(roots)}
    found = structs.replace(found, arguments=foretell.arguments(node.arguments, roots))
    wrong = (each.problem for call in (found.arguments, *found.calls) for each in call)
    return structs.replace(
        found, problems=(*found.problems, *dict.fromkeys(each for each in wrong if each is not None))
    )


def _decided(found: Prospect, roots: Mapping[str, object]) -> Prospect:
    if not found.node.when:
        return found
    try:
        holds = bare.condition(found.node.when, roots)
    except knowledge.NotYet as missing:
        return structs.replace(found, decision=Decision.OPEN, waits_for=_sources(found.node.when, roots, missing))
    except errors.RunnerError as error:
        error.context["key"] = "when"
        return structs.replace(found, problems=(error,))
    return found if holds else structs.replace(found, decision=Decision.SKIPPED)


def _expanded(found: Prospect, foreach: plan.Foreach, roots: Mapping[str, object]) -> Prospect:
    try:
        items = expand.items(foreach, roots)
    except knowledge.NotYet as missing:
        written = [foreach.items] if isinstance(foreach.items, str) else []
        sources = [source for text in written for source in _sources(text, roots, missing)]
        return structs.replace(found, items_from=tuple(sources) or (missing.source,))
    except errors.RunnerError as error:
        error.context["key"] = "foreach/items"
        return structs.replace(found, problems=(*found.problems, error))
    each = [{"item": item, "key": key, "index": index} for index, (key, item) in enumerate(items.items())]
    instances = tuple(
        Instance(key=str(own["key"]), roots=own, arguments=foretell.arguments(found.node.arguments, {**roots, **own}))
        for own in each
    )
    return structs.replace(found, instances=instances)


def some_item(roots: Mapping[str, object]) -> dict[str, object]:
    """Return what stands for the item of an instance that is not known: what is given, or what it waits for."""
    return {name: roots.get(name, knowledge.ITEM) for name in ("item", "key", "index")}


def _sources(text: str, roots: Mapping[str, object], missing: knowledge.NotYet) -> tuple[Source, ...]:
    """Return everything that an expression has to wait for."""
    found = [source for read in expression.parse(text).references for source in knowledge.sources(read, roots)]
    return tuple(dict.fromkeys(found)) or (missing.source,)


def _group(made: plan.Plan, roots: Mapping[str, object]) -> foretell.Argument | None:
    if not made.concurrency.group:
        return None
    (found,) = foretell.arguments({"group": made.concurrency.group}, roots)
    return found
