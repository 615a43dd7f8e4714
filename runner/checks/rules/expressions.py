"""Expressions are bare (KB410), and the keys of a written list differ (KB412)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.base.diagnostic import Diagnostic, Related
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.templates import template


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report expressions in braces, and keys that stand for two items."""
    for each in scope.actions:
        for site in each.sites:
            for text, pointer in site.expressions:
                yield from _expression(scope, text, pointer)
        for phase in each.action.phases:
            yield from _same_keys(scope, phase)


def _expression(scope: scopes.Scope, text: str, pointer: str) -> Iterator[Diagnostic]:
    if template.is_template(text):
        yield Diagnostic(
            code="KB410",
            message="an expression stands here, not a template",
            span=scope.blueprint.span(pointer),
            hint=f"write it without braces: {text.replace('{{', '').replace('}}', '').strip()}",
        )


def _same_keys(scope: scopes.Scope, phase: blueprints.Phase) -> Iterator[Diagnostic]:
    """Report texts that a written list holds twice, where they are the keys of the instances."""
    foreach = phase.foreach
    if foreach is None or foreach.key is not None or isinstance(foreach.items, str):
        return
    for text, (first, second, *_) in _repeated(foreach.items):
        place = scope.blueprint.span(f"{foreach.pointer}/items/{first}")
        yield Diagnostic(
            code="KB412",
            message=f'phase "{phase.name}" has two items with the key "{text}"',
            span=scope.blueprint.span(f"{foreach.pointer}/items/{second}"),
            hint="remove one, or give the items different keys with `foreach.key`",
            related=(Related(span=place, message="it is an item here already"),),
        )


def _repeated(items: Sequence[object]) -> Iterator[tuple[str, list[int]]]:
    """Yield the texts that are items more than once, where all items are texts, and at which places."""
    places: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        if not isinstance(item, str) or template.is_template(item):
            return
        places.setdefault(item, []).append(index)
    yield from (each for each in places.items() if len(each[1]) > 1)
