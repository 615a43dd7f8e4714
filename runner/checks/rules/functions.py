"""Every function that is called exists (KB501)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic
from runner.checks import scope as scopes
from runner.plan import compile, names


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report calls of unknown functions; in Kanister documents as warnings."""
    for each in scope.actions:
        for call in compile.calls(each.action):
            found = names.function(scope.blueprint, call, scope.registry)
            if found is not None:
                yield found
