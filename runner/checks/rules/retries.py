"""A retry never repeats a side effect (KB520)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.plan import compile


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report retries of functions that are not idempotent and cannot find what an earlier attempt did."""
    if scope.blueprint.level is blueprints.Level.KANISTER:
        return
    for each in scope.actions:
        for call in compile.calls(each.action):
            spec, retry = scope.registry.find(call.function), compile.retry_of(scope.blueprint, call)
            if spec is None or retry is None or retry.limit < 1:
                continue
            if spec.find is not None or compile.is_idempotent(spec, call):
                continue
            argument = spec.idempotent_argument
            yield Diagnostic(
                code="KB520",
                message=f"{call.function} is tried again on failure, but running it twice could do its work twice",
                span=scope.blueprint.span(f"{call.pointer}/retry", key=True),
                hint=f"if that does no harm, say so: {argument}: true" if argument else "remove `retry`",
            )
