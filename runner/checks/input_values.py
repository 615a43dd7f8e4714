"""Whether a value fits the declaration of an input."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from runner.base import jsonvalue
from runner.base.jsonvalue import JsonValue
from runner.model.blueprint import Input

_LONGEST_SHOWN = 60


def fault(declared: Input, value: JsonValue) -> str | None:
    """Say what is wrong with a value, or None if it fits; nothing of a secret value is shown."""
    if not has_type(declared.type, value):
        return f'the input "{declared.name}" must be {words(declared.type)}, got {_shown(declared, value)}'
    unwritable = _unwritable(value)
    if unwritable is not None:
        return f'the input "{declared.name}" holds {unwritable}'
    if declared.enum and value not in declared.enum:
        allowed = ", ".join(map(written, declared.enum))
        return f'the input "{declared.name}" must be one of {allowed}, got {_shown(declared, value)}'
    if declared.pattern is not None and isinstance(value, str) and not re.fullmatch(declared.pattern, value):
        return f'the input "{declared.name}" must match {declared.pattern}, got {_shown(declared, value)}'
    return None


def _unwritable(value: JsonValue) -> str | None:
    """Say what in a value no document, journal or restore point can hold."""
    try:
        odd = jsonvalue.odd_text(value)
    except ValueError:
        return "a number that is not finite"
    return None if odd is None else "text that is not UTF-8"


def words(type_name: str) -> str:
    """Say a type the way a sentence needs it."""
    return {
        "string": "a text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping",
        "path": "a path",
    }.get(type_name, type_name)


def has_type(name: str, value: JsonValue) -> bool:
    """Tell whether a value is of a declared type."""
    match name:
        case "string":
            return isinstance(value, str)
        case "path":
            return isinstance(value, str) and value != "" and "\0" not in value
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "array":
            return isinstance(value, Sequence) and not isinstance(value, str)
    return isinstance(value, Mapping)


def _shown(declared: Input, value: JsonValue) -> str:
    if declared.secret:
        return "something else"
    text = written(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def written(value: JsonValue) -> str:
    """Write a value the way a document holds it."""
    return json.dumps(value, ensure_ascii=False, default=str)
