"""Outputs that nobody stated: made up from what a function says it returns, always the same for the same phase."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

import pydantic

from runner.base import errors
from runner.base.jsonvalue import JsonObject
from runner.registry import args
from runner.registry.function import FunctionSpec


def outputs(
    spec: FunctionSpec,
    node: str,
    stated: JsonObject,
    *,
    declared: Mapping[str, str] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> args.Outputs:
    """Return the outputs of a call: what is stated, and the rest made up.

    Args:
        spec: The function.
        node: Which node of a plan calls it.
        stated: Some outputs by name.
        declared: The outputs that the phase declares, with their types.
        arguments: What the function is called with.

    An output that has the name of an argument has its value (`target`, `volume`); a text says what it stands for
    (`export-of-dump`), a number is 1.

    Raises:
        PermanentError: KB331 if the function's model refuses them.
    """
    values: dict[str, Any] = {}
    for name, field in spec.outputs.model_fields.items():
        known = field.alias or name
        given = (arguments or {}).get(known)
        values[known] = given if isinstance(given, str) else _of_field(known, field, node)
    values |= {name: _of_type(name, kind, node) for name, kind in (declared or {}).items()}
    try:
        return spec.outputs.model_validate({**values, **stated})
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise errors.PermanentError(
            f'the output "{name}" of {spec.name} cannot be what the rehearsal gives: {first["msg"].lower()}',
            code="KB331",
            hint=f"state it under given.results.{node}.outputs",
        ) from None


def _of_field(name: str, field: pydantic.fields.FieldInfo, node: str) -> object:
    if not field.is_required():
        return field.get_default(call_default_factory=True)
    return _of_annotation(name, field.annotation, node)


def _of_annotation(name: str, annotation: Any, node: str) -> object:
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return parts[0]
    if origin in (typing.Union, types.UnionType):
        return None if type(None) in parts else _of_annotation(name, parts[0], node)
    plain = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}
    return _of_type(name, plain.get(origin or annotation, "string"), node)


def _of_type(name: str, kind: str, node: str) -> object:
    match kind:
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
        case "path":
            return f"/{name}-of-{node}"
    return f"{name}-of-{node}"
