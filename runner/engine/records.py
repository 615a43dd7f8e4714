"""Records of a journal as JSON objects and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from runner.base import errors
from runner.base.jsonvalue import JsonValue
from runner.engine import events

_TYPES: Mapping[str, type[Any]] = {kind.type: kind for kind in events.Event.__args__}


def to_json(record: events.Record) -> dict[str, JsonValue]:
    """Write a record as a JSON object (without its number, which the journal line carries)."""
    event = record.event
    value: dict[str, Any] = {"type": event.type, "at": record.at, "elapsed": record.elapsed}
    for name, held in structs.asdict(event).items():
        value[name] = structs.asdict(held) if isinstance(held, events.ErrorValue) else held
    return value


def from_json(seq: int, value: Mapping[str, Any]) -> events.Record:
    """Read what `to_json` wrote.

    Raises:
        PermanentError: RT213 for an event of an unknown type (written by a newer runner).
    """
    fields = dict(value)
    kind = _TYPES.get(fields.pop("type"))
    if kind is None:
        raise errors.PermanentError(
            f'the journal has an event of the unknown type "{value["type"]}"',
            code="RT213",
            hint="drive the run with the version of the runner that started it",
        )
    at, elapsed = fields.pop("at"), fields.pop("elapsed")
    if fields.get("error") is not None:
        fields["error"] = events.ErrorValue(**fields["error"])
    if "order" in fields:
        fields["order"] = tuple(fields["order"])
    return events.Record(seq=seq, at=at, elapsed=elapsed, event=kind(**fields))
