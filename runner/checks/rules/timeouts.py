"""What is said about time can hold: timeouts, pauses and retries fit into the time of the action (KB324)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from runner.base import durations
from runner.base.diagnostic import Diagnostic, Related, Severity
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.plan import compile


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report timeouts of phases that are longer than that of their action, and retries that it cuts off."""
    for each in scope.actions:
        limit = each.action.timeout
        for phase in each.action.phases if limit is not None else ():
            assert limit is not None
            if phase.timeout is not None and phase.timeout > limit:
                message = f'phase "{phase.name}" may take {durations.text(phase.timeout)}'
                yield _finding(scope, each.action, f"{phase.pointer}/timeout", message, limit)
            needed = _retrying(scope, phase)
            if needed > limit.total_seconds():
                message = f'the retries of phase "{phase.name}" take {durations.for_people(needed)} at least'
                yield _finding(scope, each.action, f"{phase.pointer}/retry", message, limit)


def _retrying(scope: scopes.Scope, phase: blueprints.Phase) -> float:
    """Return how many seconds all attempts take at least: the pauses, and the timeouts if only those are retried."""
    written = compile.retry_of(scope.blueprint, phase)
    if written is None:
        return 0.0
    retry = compile.filled(written)
    needed = sum((retry.pause(number) * (1 - retry.jitter) for number in range(retry.limit)), 0.0)
    if phase.timeout is not None and retry.errors == ("timeout",):
        needed += phase.timeout.total_seconds() * (retry.limit + 1)
    return needed


def _finding(
    scope: scopes.Scope, action: blueprints.Action, pointer: str, message: str, limit: timedelta
) -> Diagnostic:
    related = Related(span=scope.blueprint.span(f"{action.pointer}/timeout"), message="the time of the action")
    return Diagnostic(
        code="KB324",
        message=f'{message}, but action "{action.name}" ends after {durations.text(limit)}',
        span=scope.blueprint.span(pointer, key=True),
        severity=Severity.WARNING,
        hint="give the action more time, or ask for less here",
        related=(related,),
    )
