"""Hold the arguments that are known against the functions: do they fit, and how much data would the calls read?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from runner.base import errors
from runner.plan.foretell import Argument
from runner.plan.outlook import Decision, Outlook, Prospect
from runner.registry import argdecode, estimates, function
from runner.registry import registry as registries
from runner.templates import evaluate


def measured(outlook: Outlook, registry: registries.Registry, budget: estimates.Budget) -> Outlook:
    """Return an outlook with sizes, and with the arguments that their function would refuse among the problems."""
    return replace(outlook, phases=tuple(_measured(each, registry, budget) for each in outlook.phases))


def total(outlook: Outlook) -> estimates.Size | None:
    """Add up what the phases would read, if it could be told of any; whole only if it could be told of all exports."""
    told = [each.size for each in outlook.phases if each.size is not None]
    untold = [each for each in outlook.phases if each.size is None and each.node.exports]
    if not told:
        return None
    found = estimates.total(told)
    return replace(found, is_whole=found.is_whole and all(each.decision is Decision.SKIPPED for each in untold))


def _measured(found: Prospect, registry: registries.Registry, budget: estimates.Budget) -> Prospect:
    spec = registry.find(found.node.function)
    if spec is None or found.decision is Decision.SKIPPED or found.problems:
        return found
    try:
        sizes = list(_sizes(spec, found.calls, budget))
    except errors.PermanentError as error:
        return replace(found, problems=(error,))
    known = [size for size in sizes if size is not None]
    return replace(found, size=estimates.total(known)) if known and len(known) == len(sizes) else found


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
