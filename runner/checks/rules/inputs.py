"""The default of an input fits its declaration (KB512)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic
from runner.checks import input_values
from runner.checks import scope as scopes


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report defaults of the wrong type or form."""
    for each in scope.actions:
        for declared in each.action.inputs.values():
            fault = input_values.fault(declared, declared.default) if declared.has_default else None
            if fault is not None and not declared.secret:
                yield Diagnostic(
                    code="KB512",
                    message=f"the default does not fit: {fault}",
                    span=scope.blueprint.span(f"{declared.pointer}/default"),
                    hint="change the default or the declaration",
                )
