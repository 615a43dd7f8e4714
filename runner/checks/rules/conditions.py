"""A `when` yields true or false, the items of a `foreach` a list or a mapping (KB410), and its keys texts (KB412)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic
from runner.checks import declared
from runner.checks import scope as scopes
from runner.templates import template, value_types

_TEXTS = value_types.TEXT | value_types.WORD
_KEYS = _TEXTS | value_types.NUMBER | value_types.BOOLEAN


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report expressions that yield something else, whatever the values are."""
    for each in scope.actions:
        for site in each.sites:
            for text, pointer in site.expressions:
                reader = declared.reader(scope, each, site)
                if not template.is_template(text):
                    yield from _expression(scope, reader, text, pointer)


def _expression(scope: scopes.Scope, reader: declared.Reader, text: str, pointer: str) -> Iterator[Diagnostic]:
    parsed = template.parse_bare(text)
    given = reader.typed(parsed)[0]
    what = value_types.words(given)
    match pointer.rpartition("/")[2]:
        case "when" if not given & value_types.BOOLEAN:
            code, message = "KB410", f"the condition yields {what}, not true or false"
            hint = f'compare it with something: {text} != ""' if given <= _TEXTS else "compare it with something"
        case "items" if not given & value_types.CONTAINERS:
            code, message = "KB410", f"the items of foreach are {what}, not a list or a mapping"
            hint = "name a list: [a, b], an input of type array, or an output"
        case "key" if not given & _KEYS:
            code, message = "KB412", f"the key of an item cannot be {what}"
            hint = "take a part of the item that is a text or a number"
        case _:
            return
    read = [reference.path for reference in parsed.references] if parsed.is_reference else []
    place = scope.blueprint.span(pointer)
    yield Diagnostic(code=code, message=message, span=place, hint=hint, related=reader.declarations(read))
