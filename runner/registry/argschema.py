"""The JSON Schema of a function's arguments, for editors; committed under `schemas/functions`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import json_schema

from runner.base.jsonvalue import JsonObject
from runner.registry import function

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEMPLATE = {"description": "A template that yields the value.", "type": "string", "pattern": r"\{\{"}
_TEMPLATE_REFERENCE = {"$ref": "#/$defs/template"}
_NESTED = ("items", "additionalProperties")


class _Generator(json_schema.GenerateJsonSchema):
    """Leaves open what has no form in JSON Schema: a plugin may take arguments of types of its own."""

    def handle_invalid_for_json_schema(self, schema: object, error_info: str) -> json_schema.JsonSchemaValue:
        return {}


def schema(spec: function.FunctionSpec) -> JsonObject:
    """Return the JSON Schema (2020-12) of the arguments; wherever a value is typed, a template fits as well."""
    made = spec.arguments.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = {name: _fields(part) for name, part in made.pop("$defs", {}).items()}
    return {
        "$schema": _DIALECT,
        "$id": f"https://blueprint-runner.dev/schemas/functions/{spec.name}.schema.json",
        **_fields(made),
        "title": spec.name,
        "description": spec.summary,
        "$defs": {**definitions, "template": _TEMPLATE},
    }


def text(spec: function.FunctionSpec) -> str:
    """Return the schema as it stands in its file."""
    return json.dumps(schema(spec), indent=2, ensure_ascii=False) + "\n"


def _fields(part: Mapping[str, Any]) -> dict[str, Any]:
    """Let templates stand for the properties of an object, but not for the object itself."""
    made = {key: value for key, value in part.items() if key not in ("title", "description")}
    if "properties" in made:
        made["properties"] = {name: _or_template(value) for name, value in made["properties"].items()}
    return made


def _or_template(part: Mapping[str, Any]) -> dict[str, Any]:
    """Let a template stand for a value, and for every value within it."""
    facts = {key: part[key] for key in ("description", "default", "examples") if key in part}
    inner = {key: value for key, value in part.items() if key not in facts and key != "title"}
    for key in _NESTED:
        if isinstance(inner.get(key), Mapping):
            inner[key] = _or_template(inner[key])
    if "anyOf" in inner:
        branches = [_without_title(branch) for branch in inner["anyOf"]]
        return {**facts, "anyOf": [*branches, _TEMPLATE_REFERENCE]}
    if inner == {"type": "string"} or not inner:
        return {**facts, **inner}
    return {**facts, "anyOf": [inner, _TEMPLATE_REFERENCE]}


def _without_title(branch: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in branch.items() if key != "title"}
    for key in _NESTED:
        if isinstance(made.get(key), Mapping):
            made[key] = _or_template(made[key])
    return made
