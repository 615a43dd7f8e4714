"""Hold the arguments that are known against the functions: do they fit, how much would the calls read, and how?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import structs

from runner.base import errors
from runner.plan.foretell import Argument
from runner.plan.outlook import Decision, Outlook, Prospect
from runner.registry import argdecode, estimates, function
from runner.registry import registry as registries
from runner.templates import evaluate


def measured(outlook: Outlook, registry: registries.Registry, budget: estimates.Budget) -> Outlook:
    """Return an outlook with sizes, and with the arguments that their function would refuse among the problems."""
    phases = [_measured(each, registry, budget) for each in outlook.phases]
    ways = (structs.replace(each, way=_way(each, phases, registry)) for each in phases)
    return structs.replace(outlook, phases=tuple(ways))


def total(outlook: Outlook) -> estimates.Size | None:
    """Add up what the phases would read, if it could be told of any; whole only if it could be told of all exports."""
    told = [each.size for each in outlook.phases if each.size is not None]
    untold = [each for each in outlook.phases if each.size is None and each.node.exports]
    if not told:
        return None
    found = estimates.total(told)
    return structs.replace(found, is_whole=found.is_whole and all(each.decision is Decision.SKIPPED for each in untold))


def _measured(found: Prospect, registry: registries.Registry, budget: estimates.Budget) -> Prospect:
    spec = registry.find(found.node.function)
    if spec is None or found.decision is Decision.SKIPPED or found.problems:
        return found
    try:
        sizes = list(_sizes(spec, found.calls, budget))
    except errors.PermanentError as error:
        return structs.replace(found, problems=(error,))
    known = [size for size in sizes if size is not None]
    return structs.replace(found, size=estimates.total(known)) if known and len(known) == len(sizes) else found


def _way(found: Prospect, phases: Sequence[Prospect], registry: registries.Registry) -> estimates.Way | None:
    """Ask the function of a phase how it would read; of several instances it may differ, so they are not asked."""
    spec = registry.find(found.node.function)
    if spec is None or spec.foresee is None or found.decision is Decision.SKIPPED or found.node.foreach is not None:
        return None
    by_path = {f"phases.{each.node.id}": each for each in phases if each.node.foreach is None}
    makers = {
        argument.name: by_path[argument.later[0].path]
        for argument in found.arguments
        if len(argument.later) == 1 and argument.later[0].path in by_path
    }
    made_by = {name: estimates.Made(function=of.node.function, arguments=_known(of)) for name, of in makers.items()}
    try:
        return spec.foresee(estimates.Call(arguments=_known(found), made_by=made_by, driver=_drivers(registry)))
    except errors.RunnerError:
        return None  # the phase will say so, if it matters


def _known(found: Prospect) -> dict[str, object]:
    return {each.name: each.raw for each in found.arguments if each.is_known and not evaluate.secrets_in(each.raw)}


def _drivers(registry: registries.Registry) -> Callable[[str], object | None]:
    return lambda name: registry.drivers[name]() if name in registry.drivers else None


def _sizes(
    spec: function.FunctionSpec, calls: Sequence[tuple[Argument, ...]], budget: estimates.Budget
) -> Iterator[estimates.Size | None]:
    for call in calls:
        values = {each.name: each.raw for each in call}
        if not all(each.is_known for each in call) or evaluate.secrets_in(values):
            yield None
            continue
        decoded = argdecode.decode(spec, values)
        yield None if spec.estimate is None else spec.estimate(decoded, budget)
