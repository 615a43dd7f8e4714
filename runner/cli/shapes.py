"""Values of the layers below as JSON objects."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from runner.base import clock
from runner.base.jsonvalue import JsonObject, JsonValue

_WORD = re.compile(r"_([a-z])")


def of(value: msgspec.Struct) -> JsonObject:
    """Return a struct as a JSON object with its fields in camelCase."""
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    return {_WORD.sub(lambda match: match[1].upper(), name): _json(item) for name, item in fields.items()}


def _json(value: Any) -> JsonValue:
    if isinstance(value, msgspec.Struct):
        return of(value)
    if isinstance(value, datetime):
        return clock.isoformat(value)
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    plain: JsonValue = value
    return plain
