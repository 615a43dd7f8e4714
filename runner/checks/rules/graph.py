"""The phases of an action have an order: nothing waits for itself (KB320), nothing reads what comes later (KB311)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic
from runner.checks import scope as scopes
from runner.plan import cycles, edges


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report cycles, with every edge."""
    for each in scope.actions:
        yield from cycles.find(scope.blueprint, each.action, edges.waits(each.action, scope.blueprint.level))
