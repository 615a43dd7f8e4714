"""Values of the layers below as JSON objects."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runner.base import clock
from runner.base.jsonvalue import JsonObject, JsonValue

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_WORD = re.compile(r"_([a-z])")


def of(value: DataclassInstance) -> JsonObject:
    """Return a dataclass as a JSON object with its fields in camelCase."""
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {_WORD.sub(lambda match: match[1].upper(), name): _json(item) for name, item in fields.items()}


def _json(value: Any) -> JsonValue:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return of(value)
    if isinstance(value, datetime):
        return clock.isoformat(value)
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    plain: JsonValue = value
    return plain
