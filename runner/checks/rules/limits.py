"""What is said about how many may run at once has an effect (KB325)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from runner.base.diagnostic import Diagnostic, Related, Severity
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.plan import plan


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report limits that something else makes narrower, and answers to what cannot happen."""
    for each in scope.actions:
        if each.action.concurrency is not None:
            yield from _concurrency(scope, each.action, each.action.concurrency)
        for phase in each.action.phases:
            if phase.foreach is not None:
                yield from _foreach(scope, each.action, phase, phase.foreach)


def _concurrency(
    scope: scopes.Scope, action: blueprints.Action, written: blueprints.Concurrency
) -> Iterator[Diagnostic]:
    on_busy = f"{written.pointer}/onBusy"
    if written.group is None and scope.blueprint.span(on_busy).pointer == on_busy:
        yield _finding(scope, on_busy, "without a `group`, there is no other run to wait for", "add a `group`")
    is_chain = all(phase.needs is None and phase.foreach is None for phase in action.phases)
    if written.max_parallel is not None and is_chain:
        reason = "the phases run one after another anyway"
        yield _finding(scope, f"{written.pointer}/maxParallel", reason, "let phases run side by side with `needs`")


def _foreach(
    scope: scopes.Scope, action: blueprints.Action, phase: blueprints.Phase, foreach: blueprints.Foreach
) -> Iterator[Diagnostic]:
    number = None if isinstance(foreach.items, str) else len(foreach.items)
    width = foreach.max_parallel
    if width is not None and number is not None and width >= number:
        reason = f'phase "{phase.name}" has {number} item{"s" if number != 1 else ""}'
        yield _finding(scope, f"{foreach.pointer}/maxParallel", reason, "remove it")
    elif width is not None and width > _width(action):
        yield _wider(scope, action, foreach)
    if foreach.fail_fast and (width == 1 or (number is not None and number <= 1)):
        yield _finding(scope, f"{foreach.pointer}/failFast", "no instance runs beside another one", "remove it")


def _width(action: blueprints.Action) -> int:
    written = action.concurrency.max_parallel if action.concurrency is not None else None
    return plan.Concurrency().max_parallel if written is None else written


def _wider(scope: scopes.Scope, action: blueprints.Action, foreach: blueprints.Foreach) -> Diagnostic:
    made = _finding(
        scope,
        f"{foreach.pointer}/maxParallel",
        f"at most {_width(action)} attempts of a run are under way at once",
        "let the action allow more with `concurrency.maxParallel`, or ask for less here",
    )
    if action.concurrency is None or action.concurrency.max_parallel is None:
        return made
    place = scope.blueprint.span(f"{action.concurrency.pointer}/maxParallel")
    return structs.replace(made, related=(Related(span=place, message="the action says so"),))


def _finding(scope: scopes.Scope, pointer: str, reason: str, hint: str) -> Diagnostic:
    return Diagnostic(
        code="KB325",
        message=f"`{pointer.rpartition('/')[2]}` has no effect: {reason}",
        span=scope.blueprint.span(pointer, key=True),
        severity=Severity.WARNING,
        hint=hint,
    )
