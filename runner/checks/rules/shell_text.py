"""Values are quoted where they are put into shell text (KB710)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from runner.base import span as spans
from runner.base.diagnostic import Diagnostic, Severity
from runner.base.jsonvalue import JsonValue
from runner.checks import declared, values
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.registry import args
from runner.templates import expression, inference, template, value_types

_SHELLS = frozenset({"sh", "ash", "bash", "dash", "ksh", "zsh"})
_TAKES_TEXT = re.compile(r"-[a-z]*c[a-z]*")
_SAFE = value_types.NUMBER | value_types.BOOLEAN | value_types.WORD


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report expressions in shell text that may yield a text with spaces, quotes or worse."""
    if scope.blueprint.level is blueprints.Level.KANISTER:
        return
    for each in scope.actions:
        for site in each.sites:
            reader = declared.reader(scope, each, site)
            for text, pointer in _shell_texts(scope, site):
                yield from _unquoted(scope, reader, text, pointer)


def _shell_texts(scope: scopes.Scope, site: scopes.Site) -> Iterator[tuple[str, str]]:
    """Yield the texts of a call that a shell reads, each with its pointer."""
    spec = None if site.call is None else scope.registry.find(site.call.function)
    for name, meaning in args.meanings(spec.arguments).items() if spec is not None else ():
        value, at = site.values.get(name), site.pointer + spans.pointer([name])
        if meaning is args.Meaning.SHELL_TEXT and isinstance(value, str):
            yield value, at
        elif meaning is args.Meaning.COMMAND_LINE and isinstance(value, list):
            yield from ((text, f"{at}/{index}") for index, text in _of_shell(value))


def _of_shell(command: Sequence[JsonValue]) -> Iterator[tuple[int, str]]:
    """Yield what a command line gives to a shell as its text: what follows `sh -c`."""
    words = [word if isinstance(word, str) else "" for word in command]
    if not words or PurePath(words[0]).name not in _SHELLS:
        return
    for index in range(2, len(words)):
        if _TAKES_TEXT.fullmatch(words[index - 1]):
            yield index, words[index]
            return


def _unquoted(scope: scopes.Scope, reader: declared.Reader, text: str, pointer: str) -> Iterator[Diagnostic]:
    if not template.is_template(text):
        return
    for part in template.parse(text).parts:
        if isinstance(part, str) or part.node is None or _is_safe(reader, part):
            continue
        written = text[part.offset : part.offset + part.length]
        yield Diagnostic(
            code="KB710",
            message=f"{reader.site.owner} puts {written} into shell text as it is",
            span=scope.blueprint.part_span(pointer, part.offset, part.offset + part.length),
            severity=Severity.WARNING,
            hint=f"quote it: {{{{ {_grouped(written)} | sh }}}}, or pass it in a variable of the environment",
        )


def _grouped(written: str) -> str:
    """Put an expression into brackets if a filter behind it would belong to a part of it alone."""
    return f"({written})" if {"if", "or", "and", "not", "in"} & set(written.split()) else written


def _is_safe(reader: declared.Reader, part: expression.Expression) -> bool:
    """Tell whether a value is quoted, cannot need it, or is a secret, which is a finding of its own."""
    if any(values.is_secret(reader.action, reference) for reference in part.references):
        return True
    return inference.of_expression(part, reader.type_of) <= _SAFE
