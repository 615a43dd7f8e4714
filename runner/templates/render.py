"""Render the arguments of a phase, and find the templates in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from runner.base import errors, secret
from runner.base import span as spans
from runner.base.jsonvalue import JsonValue
from runner.templates import template

Rendered: TypeAlias = "bool | int | float | str | secret.Secret | Sequence[Rendered] | Mapping[str, Rendered] | None"


def render_arguments(arguments: Mapping[str, JsonValue], roots: Mapping[str, object]) -> dict[str, Rendered]:
    """Render all arguments of a call.

    Args:
        arguments: As written; texts may be templates, keys are taken as they are.
        roots: What templates can read, by root (`inputs`, `phases`, …); an `Absent` in it reads as undefined.

    Raises:
        RunnerError: KB401 to KB405 or KB702; its context has the JSON Pointer below the arguments as `argument`.
    """
    return {name: _render(value, roots, (name,)) for name, value in arguments.items()}


def render(value: JsonValue, roots: Mapping[str, object]) -> Rendered:
    """Render one nested value.

    Raises:
        RunnerError: As `render_arguments`.
    """
    return _render(value, roots, ())


def templates_in(value: JsonValue, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Yield every template of a nested value with its JSON Pointer."""
    if isinstance(value, str):
        if template.is_template(value):
            yield pointer, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from templates_in(item, pointer + spans.pointer([key]))
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from templates_in(item, f"{pointer}/{index}")


def _render(value: JsonValue, roots: Mapping[str, object], path: tuple[str | int, ...]) -> Rendered:
    if isinstance(value, str):
        return _render_text(value, roots, path)
    if isinstance(value, Mapping):
        return {key: _render(item, roots, (*path, key)) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_render(item, roots, (*path, index)) for index, item in enumerate(value)]
    return value


def _render_text(text: str, roots: Mapping[str, object], path: tuple[str | int, ...]) -> Rendered:
    if not template.is_template(text):
        return text
    try:
        return template.parse(text).render(roots)  # type: ignore[return-value]
    except errors.RunnerError as error:
        error.context.setdefault("argument", spans.pointer(path))
        raise
