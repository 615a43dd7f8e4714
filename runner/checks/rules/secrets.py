"""Secrets stay out of restore points (KB701), of decisions (KB702) and of documents (KB703)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic, Related
from runner.checks import declared, values
from runner.checks import scope as scopes


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report secrets in output artifacts, in comparisons and conditions, and as literal defaults."""
    for each in scope.actions:
        for use in each.uses:
            if values.is_secret(each, use.read.reference):
                related = declared.reader(scope, each, use.site).declarations([use.read.reference.path])
                yield from _use(scope, use, related)
        for given in each.action.inputs.values():
            if given.secret and given.has_default:
                yield Diagnostic(
                    code="KB703",
                    message=f'the secret input "{given.name}" has a default in the document',
                    # Not the default itself: findings show the line they are about.
                    span=scope.blueprint.span(given.pointer, key=True),
                    hint=f"remove it and pass the value with --set-file or RUNNER_INPUT_{given.name.upper()}",
                )


def _use(scope: scopes.Scope, use: scopes.Use, related: tuple[Related, ...]) -> Iterator[Diagnostic]:
    if use.site.where is scopes.Where.ARTIFACT:
        yield Diagnostic(
            code="KB701",
            message=f"{use.site.owner} holds the secret {use.read.reference}",
            span=scope.part(use, -1),
            hint="store where the secret is found instead; restore points are not vaults",
            related=related,
        )
    elif use.site.where is scopes.Where.GROUP:
        yield Diagnostic(
            code="KB702",
            message=f"{use.site.owner} would show the secret {use.read.reference}",
            span=scope.part(use, -1),
            hint="name the group by something that everybody may see",
            related=related,
        )
    if use.read.reference.decides or use.site.where is scopes.Where.CONDITION:
        yield Diagnostic(
            code="KB702",
            message=f"{use.site.owner} decides by the secret {use.read.reference}",
            span=scope.part(use, -1),
            hint="decide with an input that is not secret",
            related=related,
        )
