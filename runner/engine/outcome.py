"""From what a function returned to what is journalled: declared outputs, their types, their secrets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from runner.base import errors
from runner.base.jsonvalue import JsonValue
from runner.engine.sealed import Sealed
from runner.plan.plan import Output, PlanNode
from runner.registry import args
from runner.registry.function import FunctionSpec

_LIMIT_BYTES = 1 << 20


def outputs_of(
    spec: FunctionSpec, node: PlanNode, returned: args.Outputs | None, sealed: Sealed
) -> dict[str, JsonValue]:
    """Return the outputs to be journalled; secret ones are sealed and only their names stay.

    Raises:
        PermanentError: RT216 if a declared output is missing, has another type, or all are too large.
    """
    values: dict[str, JsonValue] = {} if returned is None else returned.model_dump(by_alias=True, mode="json")
    known = {field.alias or name for name, field in spec.outputs.model_fields.items()} | set(node.outputs)
    values = {name: value for name, value in values.items() if name in known}
    for name, declared in node.outputs.items():
        if values.get(name) is None:
            raise _mismatch(node, f'did not return its output "{name}"')
        values[name] = _typed(node, name, declared, values[name])
        if declared.secret:
            sealed.put(f"{node.id}.{name}", _text(values[name]))
            values[name] = None
    if len(json.dumps(values)) > _LIMIT_BYTES:
        raise _mismatch(node, "returned more than 1 MiB of outputs")
    return values


def _typed(node: PlanNode, name: str, declared: Output, value: JsonValue) -> JsonValue:
    """Convert a text to the declared type; commands can only say texts."""
    if not isinstance(value, str):
        return value
    try:
        return _FROM_TEXT[declared.type](value)
    except (ValueError, KeyError):
        raise _mismatch(node, f'returned an output "{name}" that is not of type {declared.type}') from None


def _json_of(kind: type) -> Callable[[str], JsonValue]:
    def read(text: str) -> JsonValue:
        value: JsonValue = json.loads(text)
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise ValueError(text)
        return value

    return read


def _number(text: str) -> JsonValue:
    value = json.loads(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(text)
    return value


_FROM_TEXT: Mapping[str, Callable[[str], JsonValue]] = MappingProxyType(
    {
        "string": str,
        "path": str,
        "integer": _json_of(int),
        "number": _number,
        "boolean": _json_of(bool),
        "array": _json_of(list),
        "object": _json_of(dict),
    }
)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _mismatch(node: PlanNode, what: str) -> errors.PermanentError:
    return errors.PermanentError(
        f"{node.function} {what}", code="RT216", hint="compare the function with the phase's `outputs`"
    )
