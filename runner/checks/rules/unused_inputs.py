"""Every input is read somewhere (KB317)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base import suggest
from runner.base.diagnostic import Diagnostic, Severity
from runner.checks import scope as scopes


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report inputs that nothing reads, unless a template cannot be parsed, or reads all inputs at once.

    What a misspelt name most likely means counts as read: that name is a finding of its own.
    """
    for each in scope.actions:
        if any(parsed.problems for site in each.sites for _, parsed in site.texts):
            continue
        paths = [use.read.reference.path for use in each.uses if use.read.reference.root == "inputs"]
        if ("inputs",) in paths:
            continue
        inputs = each.action.inputs
        read = {str(path[1]) for path in paths}
        needed = read | {suggest.closest(name, inputs) for name in read if name not in inputs}
        for declared in inputs.values():
            if declared.name not in needed:
                yield Diagnostic(
                    code="KB317",
                    message=f'nothing in action "{each.action.name}" reads the input "{declared.name}"',
                    span=scope.blueprint.span(declared.pointer, key=True),
                    severity=Severity.WARNING,
                    hint=f"read it as inputs.{declared.name}, or remove it",
                )
