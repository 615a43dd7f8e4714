"""The JSON Schema of blueprints for editors: that of documents, with the arguments of every function in it.

It is one file without references to others, so that an editor can be given its path or address alone. Documents are not
checked against it: findings about arguments come from the argument models, in words of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from runner.base import resources
from runner.base.jsonvalue import JsonObject
from runner.registry import argschema, function

_ID = "https://blueprint-runner.dev/schemas/editor/blueprint.schema.json"
# What calls a function.
_CALLS = ("phase", "undo", "deferPhase")
_LOCAL = "#/$defs/"


def schema(specs: Iterable[function.FunctionSpec]) -> JsonObject:
    """Return the schema (2020-12) of blueprints that call these functions; other functions are allowed as well."""
    made: dict[str, Any] = json.loads((resources.schemas() / "blueprint.schema.json").read_text(encoding="utf-8"))
    known = list(specs)
    definitions = made["$defs"]
    for name in _CALLS:
        call = definitions[name]
        call["properties"]["func"] = _func(call["properties"]["func"], known)
        call["allOf"] = [_arguments(spec) for spec in known]
    for spec in known:
        definitions[_key(spec)] = _embedded(argschema.schema(spec), f"{_LOCAL}{_key(spec)}/$defs/")
    return {**made, "$id": _ID}


def text(specs: Iterable[function.FunctionSpec]) -> str:
    """Return the schema as it stands in its file."""
    return json.dumps(schema(specs), indent=2, ensure_ascii=False) + "\n"


def _key(spec: function.FunctionSpec) -> str:
    return f"arguments of {spec.name}"


def _func(part: Mapping[str, Any], specs: Iterable[function.FunctionSpec]) -> dict[str, Any]:
    """Offer the names of the functions, each with its summary."""
    offered = [{"const": spec.name, "description": spec.summary} for spec in specs]
    return {**part, "anyOf": [*offered, {"type": "string"}]}


def _arguments(spec: function.FunctionSpec) -> dict[str, Any]:
    """Say what `args` holds where `func` names a function."""
    return {
        "if": {"properties": {"func": {"const": spec.name}}, "required": ["func"]},
        "then": {"properties": {"args": {"$ref": f"{_LOCAL}{_key(spec)}"}}},
    }


def _embedded(part: Any, definitions: str) -> Any:
    """Return a schema that has become a part of another one, with its references to its own definitions."""
    if isinstance(part, Mapping):
        kept = {key: value for key, value in part.items() if key not in ("$schema", "$id")}
        return {
            key: definitions + value.removeprefix(_LOCAL) if key == "$ref" else _embedded(value, definitions)
            for key, value in kept.items()
        }
    return [_embedded(item, definitions) for item in part] if isinstance(part, list) else part
