"""Phases have names of their own that are not reserved (KB301, KB302), and `needs` and `retry` name what exists."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.plan import compile, names

RESERVED = frozenset({"cleanup", "revert", "defer"})


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report names that are taken or reserved (KB301, KB302) and names that lead nowhere (KB310, KB321)."""
    for each in scope.actions:
        yield from names.duplicates(scope.blueprint, each.action)
        if scope.blueprint.level is blueprints.Level.KANISTER:
            continue
        yield from _reserved(scope, each.action)
        yield from names.needs(scope.blueprint, each.action)
        for call in compile.calls(each.action):
            found = names.policy(scope.blueprint, call)
            if found is not None:
                yield found


def _reserved(scope: scopes.Scope, action: blueprints.Action) -> Iterator[Diagnostic]:
    for phase in action.phases:
        if phase.name in RESERVED:
            yield Diagnostic(
                code="KB302",
                message=f'"{phase.name}" is reserved and cannot name a phase',
                span=scope.blueprint.span(f"{phase.pointer}/name"),
                hint="name what the phase does, such as take_snapshot",
            )
