"""The parts of expressions fit together: comparisons (KB411), filters (KB405), and what has parts at all (KB404)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic
from runner.checks import declared
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report what cannot work, or can never hold, whatever the values are."""
    if scope.blueprint.level is blueprints.Level.KANISTER:
        return
    for each in scope.actions:
        for site in each.sites:
            reader = declared.reader(scope, each, site)
            for pointer, parsed in site.texts:
                for fault in reader.typed(parsed)[1]:
                    yield Diagnostic(
                        code=fault.code,
                        message=fault.message,
                        span=scope.blueprint.part_span(pointer, fault.offset, fault.offset + fault.length),
                        hint=fault.hint,
                        related=reader.declarations(fault.paths),
                    )
