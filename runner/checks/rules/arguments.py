"""The arguments of every call fit its function (KB502 to KB505), and take a secret where one is passed (KB702)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic
from runner.base.span import Span
from runner.checks import declared, values
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.registry import argcheck
from runner.templates import template

# Findings that what a template reads is at fault for.
_OF_WHAT_IS_READ = frozenset({"KB505", "KB702"})


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report arguments that are unknown, missing, or of the wrong type or form."""
    if scope.blueprint.level is blueprints.Level.KANISTER:
        return
    for each in scope.actions:
        for site in each.sites:
            if site.call is not None:
                yield from _call(scope, each, site, site.call)


def _call(
    scope: scopes.Scope, action: scopes.ActionScope, site: scopes.Site, call: blueprints.Call
) -> Iterator[Diagnostic]:
    spec = scope.registry.find(call.function)
    if spec is None:
        return
    reader = declared.reader(scope, action, site)
    found = argcheck.check_arguments(
        spec,
        call.arguments,
        is_template=template.is_template,
        example=lambda text: values.example(reader, text),
    )
    for problem in found:
        at = site.pointer + problem.pointer
        read = [each.path for pointer, parsed in site.texts if pointer == at for each in parsed.references]
        yield Diagnostic(
            code=problem.code,
            message=problem.message,
            span=_place(scope, site, call, problem),
            hint=problem.hint,
            related=reader.declarations(read) if problem.code in _OF_WHAT_IS_READ else (),
        )


def _place(scope: scopes.Scope, site: scopes.Site, call: blueprints.Call, problem: argcheck.Problem) -> Span:
    if problem.code == "KB503" and not problem.pointer:
        # What is missing has no place of its own: the name of the function that needs it stands for it.
        return scope.blueprint.span(f"{call.pointer}/func")
    return scope.blueprint.span(site.pointer + problem.pointer, key=problem.at_key)
