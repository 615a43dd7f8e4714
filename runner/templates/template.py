"""A text with `{{ … }}` in it: parsed once, rendered to a typed value or to text."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import msgspec

from runner.base import quantities, secret
from runner.templates import evaluate, expression, functions, kinds, problem, references, scan


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed template.

    Attributes:
        parts: Plain texts and expressions in their order.
        problems: What is wrong with it; such a template is never rendered.
        references: What it reads, in the order of the text.
        is_typed: Whether it is exactly one expression, so that it yields that value and not text.
        is_reference: Whether it is exactly one reference, with nothing done to it.
    """

    parts: tuple[str | expression.Expression, ...]
    problems: tuple[problem.Problem, ...]
    references: tuple[references.Reference, ...]
    is_typed: bool
    is_reference: bool

    def render(self, roots: Mapping[str, object]) -> object:
        """Return the value.

        Raises:
            TemplateError: With the code of the problem (KB401 to KB405).
            SecretMisuse: KB702 if it looks at a secret.
        """
        for found in self.problems:
            raise problem.TemplateError(found.message, code=found.code, hint=found.hint)
        try:
            values = [part if isinstance(part, str) else _value(part, roots) for part in self.parts]
            return values[0] if self.is_typed else _joined(values)
        except RecursionError as error:
            raise problem.TemplateError("a value that the template reads is nested too deeply") from error


@functools.lru_cache(maxsize=65536)
def parse(text: str) -> Template:
    """Parse a text; what is wrong with it is found in `problems`."""
    pieces, problems = scan.split(text)
    parts: list[str | expression.Expression] = []
    read: list[references.Reference] = []
    for piece in pieces:
        if not piece.is_expression:
            parts.append(piece.text)
            continue
        parsed = expression.parse(piece.text, piece.offset)
        parts.append(parsed)
        problems.extend(parsed.problems)
        read.extend(parsed.references)
    is_typed = len(pieces) == 1 and pieces[0].is_expression and text.startswith("{{") and text.endswith("}}")
    return Template(
        parts=tuple(parts),
        problems=tuple(problems),
        references=tuple(read),
        is_typed=is_typed,
        is_reference=is_typed and _is_reference(parts[0]),
    )


@functools.lru_cache(maxsize=65536)
def parse_bare(text: str) -> Template:
    """Parse a whole text as one expression without braces, as `when` and `foreach` hold it."""
    parsed = expression.parse(text)
    return Template(
        parts=(parsed,),
        problems=parsed.problems,
        references=parsed.references,
        is_typed=True,
        is_reference=_is_reference(parsed),
    )


def is_template(text: str) -> bool:
    """Tell whether a text is more than plain text."""
    return scan.marks_template(text)


def _is_reference(part: str | expression.Expression) -> bool:
    return not isinstance(part, str) and part.node is not None and references.path_of(part.node) is not None


def _value(part: expression.Expression, roots: Mapping[str, object]) -> object:
    assert part.node is not None, "a template with problems is not rendered"
    return evaluate.evaluate(part.node, roots)


def _joined(values: Sequence[object]) -> object:
    hidden = evaluate.secrets_in(values)
    if not hidden:
        return _concatenate(values)
    label = " and ".join(dict.fromkeys(found.label for found in hidden))
    return secret.Secret(f"text with {label}", lambda: _concatenate([evaluate.revealed(value) for value in values]))


def _concatenate(values: Sequence[object]) -> str:
    try:
        text = "".join(kinds.text_of(value) for value in values)
    except functions.FAILURES as error:
        raise problem.TemplateError("a value of the template cannot be written as text") from error
    if len(text) > kinds.LARGEST_TEXT:
        limit = quantities.bytes_for_people(kinds.LARGEST_TEXT)
        raise problem.TemplateError(f"the rendered text is larger than {limit}", hint="pass large data through a file")
    return text
