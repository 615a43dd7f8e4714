"""Render arguments before a run, as far as what they read is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from runner.base import errors, secret
from runner.base import span as spans
from runner.base.jsonvalue import JsonValue
from runner.plan import knowledge
from runner.plan.knowledge import NotYet, Source
from runner.templates import template


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """One argument of a call.

    Attributes:
        value: Its value, secrets masked; what is not known yet stands in it as it was written.
        later: What it still depends on; empty when all of it is known.
        problem: Why it cannot be rendered.
        raw: Its value with secrets as placeholders, when all of it is known; for decoding.
    """

    name: str
    value: JsonValue
    later: tuple[Source, ...] = ()
    problem: errors.RunnerError | None = None
    raw: object = None

    @property
    def is_known(self) -> bool:
        """Whether its value is known."""
        return not self.later and self.problem is None


def arguments(written: Mapping[str, JsonValue], roots: Mapping[str, object]) -> tuple[Argument, ...]:
    """Render the arguments of a call as far as they are known."""
    return tuple(_argument(name, value, roots) for name, value in written.items())


def _argument(name: str, written: JsonValue, roots: Mapping[str, object]) -> Argument:
    later: dict[Source, None] = {}
    problems: list[errors.RunnerError] = []

    def leaf(text: str, path: tuple[str | int, ...]) -> object:
        try:
            return _rendered(text, roots)
        except NotYet as missing:
            later.update(dict.fromkeys(_sources(text, roots) or (missing.source,)))
        except errors.RunnerError as error:
            error.context.setdefault("argument", spans.pointer(path))
            problems.append(error)
        return text

    raw = _walk(written, (name,), leaf)
    return Argument(
        name=name, value=masked(raw), later=tuple(later), problem=problems[0] if problems else None, raw=raw
    )


def _sources(text: str, roots: Mapping[str, object]) -> tuple[Source, ...]:
    read = template.parse(text).references
    return tuple(dict.fromkeys(source for each in read for source in knowledge.sources(each, roots)))


def masked(value: object) -> JsonValue:
    """Return a rendered value with every secret in it replaced by the mask."""
    if isinstance(value, secret.Secret):
        return secret.MASK
    if isinstance(value, Mapping):
        return {str(key): masked(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [masked(item) for item in value]
    return value  # type: ignore[return-value]


def _walk(
    value: JsonValue, path: tuple[str | int, ...], leaf: Callable[[str, tuple[str | int, ...]], object]
) -> object:
    """Replace every text of a nested value."""
    if isinstance(value, str):
        return leaf(value, path)
    if isinstance(value, Mapping):
        return {key: _walk(item, (*path, key), leaf) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_walk(item, (*path, index), leaf) for index, item in enumerate(value)]
    return value


def _rendered(text: str, roots: Mapping[str, object]) -> object:
    """Render one text.

    Raises:
        NotYet: If it looks at what is known only later.
        RunnerError: As the template raises it.
    """
    if not template.is_template(text):
        return text
    value = template.parse(text).render(roots)
    knowledge.look_at(value)
    return value
