"""What surely takes time, one after another, fits into the time of the action (KB324)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from runner.base import durations
from runner.base.diagnostic import Diagnostic, Related, Severity
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.plan import edges, graph


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report actions whose time ends before the pauses in their phases do."""
    if scope.blueprint.level is blueprints.Level.KANISTER:
        return
    for each in scope.actions:
        lasts = {phase.name: time for phase in each.action.phases if (time := _lasts(scope, phase))}
        limit = each.action.timeout
        if limit is None or sum(lasts.values()) <= limit.total_seconds():
            continue
        last, needed = _longest(each.action, lasts)
        if needed > limit.total_seconds():
            yield _finding(scope, each, last, needed, limit)


def _lasts(scope: scopes.Scope, phase: blueprints.Phase) -> float:
    """Return how many seconds a phase takes at least, if it runs in any case."""
    spec = scope.registry.find(phase.function)
    if spec is None or spec.duration_argument is None or phase.when is not None or phase.foreach is not None:
        return 0.0
    written = phase.arguments.get(spec.duration_argument)
    try:
        return durations.parse(written).total_seconds() if isinstance(written, str) else 0.0
    except ValueError:
        return 0.0  # a template, or a finding of another rule


def _longest(action: blueprints.Action, lasts: dict[str, float]) -> tuple[str, float]:
    """Return the phase that ends last if nothing else takes any time, and when that is."""
    sources = {
        name: [wait.edge.source for wait in found] for name, found in edges.waits(action, blueprints.Level.OWN).items()
    }
    ends: dict[str, float] = {}
    try:
        for name in graph.order(sources):
            begins = max((ends[source] for source in sources[name]), default=0.0)
            ends[name] = begins + lasts.get(name, 0.0)
    except ValueError:
        return "", 0.0  # a cycle is a finding of another rule
    return max(ends.items(), key=lambda item: item[1])


def _finding(scope: scopes.Scope, action: scopes.ActionScope, last: str, needed: float, limit: timedelta) -> Diagnostic:
    place = scope.blueprint.span(f"{action.action.pointer}/timeout")
    return Diagnostic(
        code="KB324",
        message=f'the pauses up to phase "{last}" take {durations.for_people(needed)}, '
        f'but action "{action.action.name}" ends after {durations.text(limit)}',
        span=scope.blueprint.span(f"{action.phases[last].pointer}/name"),
        severity=Severity.WARNING,
        hint="give the action more time, or wait less",
        related=(Related(span=place, message="the time of the action"),),
    )
