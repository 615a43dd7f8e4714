"""The fields of argument and output models in words, for `runner explain`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from runner.base.jsonvalue import JsonObject, JsonValue
from runner.registry import args


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One argument or output."""

    name: str
    type: str
    required: bool
    default: JsonValue
    description: str
    example: str | None

    @property
    def facts(self) -> str:
        """Its type, and whether it must be given."""
        if self.required:
            return f"{self.type}, required"
        return self.type if self.default is None else f"{self.type}, default {json.dumps(self.default)}"

    def to_json(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "name": self.name,
            "type": self.type,
            "required": self.required,
            "default": self.default,
            "description": self.description,
        }


def of(
    model: type[args.Arguments] | type[args.Outputs], *, mode: Literal["validation", "serialization"]
) -> list[Field]:
    """Return the fields of a model in the order of their declaration; outputs are never required."""
    schema = model.model_json_schema(by_alias=True, mode=mode)
    required = set(schema.get("required", ())) if mode == "validation" else set()
    return [
        _field(name, shape, schema.get("$defs", {}), required=name in required)
        for name, shape in schema.get("properties", {}).items()
    ]


def _field(name: str, shape: Mapping[str, Any], definitions: Mapping[str, Any], *, required: bool) -> Field:
    examples = shape.get("examples") or []
    return Field(
        name=name,
        type=_type(shape, definitions),
        required=required,
        default=shape.get("default"),
        description=shape.get("description", ""),
        example=json.dumps(examples[0], ensure_ascii=False) if examples else None,
    )


def _type(shape: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in shape:
        return _type(definitions[shape["$ref"].rsplit("/", 1)[-1]], definitions)
    if "enum" in shape:
        return " or ".join(str(value) for value in shape["enum"])
    if "anyOf" in shape:
        kinds = [_type(branch, definitions) for branch in shape["anyOf"] if branch.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if shape.get("type") == "array":
        return f"array of {_type(shape.get('items', {}), definitions)}"
    if shape.get("type") == "object" and isinstance(shape.get("additionalProperties"), Mapping):
        return f"object of {_type(shape['additionalProperties'], definitions)}"
    return str(shape.get("type", "any value"))
