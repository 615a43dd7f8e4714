"""Every template and expression can be parsed and keeps to what is allowed in it (KB401, KB402, KB403, KB405)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report the problems of all templates; Kanister documents have a template language of their own."""
    if scope.blueprint.level is blueprints.Level.KANISTER:
        return
    for each in scope.actions:
        for site in each.sites:
            for pointer, parsed in site.texts:
                for problem in parsed.problems:
                    yield Diagnostic(
                        code=problem.code,
                        message=problem.message,
                        span=scope.blueprint.part_span(pointer, problem.offset, problem.offset + problem.length),
                        hint=problem.hint,
                    )
