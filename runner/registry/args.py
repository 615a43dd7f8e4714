"""Typed arguments and outputs of functions: the one declaration from which schema, decoder and pages come."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum, auto
from typing import Annotated, Any, TypeAlias

import pydantic
from pydantic import alias_generators, json_schema

from runner.base import durations, secret

_CAMEL = pydantic.ConfigDict(
    frozen=True,
    extra="forbid",
    alias_generator=alias_generators.to_camel,
    populate_by_name=True,
    arbitrary_types_allowed=True,
    strict=True,
    validate_default=True,
)


class Arguments(pydantic.BaseModel):
    """Base of all argument models: frozen, strict, unknown keys refused, `snake_case` here and `camelCase` in YAML."""

    model_config = _CAMEL


class Outputs(pydantic.BaseModel):
    """Base of all output models; what a function returns is journalled, so it holds JSON values only."""

    model_config = _CAMEL


class ExportOutputs(Outputs):
    """Outputs of a function that made an export; the restore point of the run is made of these.

    All sizes are bytes. `bytes_new` counts the chunks that the repository did not have, before compression,
    `bytes_stored` what they take after compression and encryption.
    """

    export: str = pydantic.Field(description="Id of the export in the repository.")
    bytes_read: int = pydantic.Field(description="Bytes read from the source.")
    bytes_new: int = pydantic.Field(description="Bytes that the repository did not have yet.")
    bytes_stored: int = pydantic.Field(description="Bytes added to the repository, compressed and encrypted.")


class DynamicOutputs(Outputs):
    """Outputs whose names only the phase knows, that declares them; texts are converted to the declared types."""

    model_config = pydantic.ConfigDict(extra="allow")


class NoOutputs(Outputs):
    """Outputs of a function that has none."""


def argument(
    description: str, *, default: Any = ..., example: Any = None, alias: str | None = None, **rules: Any
) -> Any:
    """Declare one argument.

    Args:
        description: One sentence for the reference page and `runner explain`.
        default: The value when it is left out; without one the argument is required.
        example: A value for the reference page.
        alias: Its name in YAML, where that is not the camelCase of the field.
        **rules: Further pydantic constraints (`ge`, `pattern`, `min_length`).
    """
    if alias is not None:
        rules["alias"] = alias
    examples: list[Any] | None = None if example is None else [example]
    return pydantic.Field(default, description=description, examples=examples, **rules)


class Meaning(Enum):
    """What an argument is to whoever reads it, beyond its type; stands in its annotation."""

    SHELL_TEXT = auto()
    COMMAND_LINE = auto()


# Text that a shell reads: values in it must be quoted.
ShellText: TypeAlias = Annotated[str, Meaning.SHELL_TEXT]

# A program and its arguments; where the program is a shell, one of them is shell text.
CommandLine: TypeAlias = Annotated[list[str], Meaning.COMMAND_LINE]

# A text that may be a secret: the function passes it to `ctx.reveal` where it leaves the process (environment, file).
SecretText: TypeAlias = Annotated[
    str | secret.Secret,
    json_schema.WithJsonSchema({"type": "string", "description": "Text, or a secret."}),
]


@functools.cache
def meanings(model: type[Arguments]) -> Mapping[str, Meaning]:
    """Return the arguments, as documents name them, whose annotation has a meaning."""
    found = {}
    for name, field in model.model_fields.items():
        for meaning in _meanings(Annotated[field.annotation, None, *field.metadata]):
            found[field.alias or name] = meaning
    return found


def taking_secrets(model: type[Arguments]) -> list[str]:
    """Return the arguments, as documents name them, that may hold secrets."""
    return [field.alias or name for name, field in model.model_fields.items() if _takes_secret(field.annotation)]


def _takes_secret(annotation: Any) -> bool:
    return annotation is secret.Secret or any(map(_takes_secret, typing.get_args(annotation)))


def _meanings(annotation: Any) -> Iterator[Meaning]:
    for part in typing.get_args(annotation):
        if isinstance(part, Meaning):
            yield part
        yield from _meanings(part)


def _read_duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError("a duration is a text such as 30s, 5m or 1h30m")
    return durations.parse(value)


# A duration as people write it (`30s`, `1h30m`).
Duration: TypeAlias = Annotated[
    timedelta,
    pydantic.BeforeValidator(_read_duration),
    json_schema.WithJsonSchema({"type": "string", "description": "Duration such as 30s, 5m or 1h30m."}),
]
