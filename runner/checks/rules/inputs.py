"""The default of an input fits its declaration (KB512), and an input that must be given has none (KB513)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic, Severity
from runner.checks import input_values
from runner.checks import scope as scopes


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report defaults of the wrong type or form, and those that make `required` mean nothing."""
    for each in scope.actions:
        for declared in each.action.inputs.values():
            if declared.required and declared.has_default:
                yield Diagnostic(
                    code="KB513",
                    message=f'the input "{declared.name}" is required and has a default, so it need not be given',
                    span=scope.blueprint.span(f"{declared.pointer}/required", key=True),
                    severity=Severity.WARNING,
                    hint="remove `required`, or remove the default to have it given each time",
                )
            fault = input_values.fault(declared, declared.default) if declared.has_default else None
            if fault is not None and not declared.secret:
                yield Diagnostic(
                    code="KB512",
                    message=f"the default does not fit: {fault}",
                    span=scope.blueprint.span(f"{declared.pointer}/default"),
                    hint="change the default or the declaration",
                )
