"""The JSON value type and its canonical text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = Mapping[str, JsonValue]


def canonical(value: JsonValue) -> str:
    """Write a value so that equal values give equal text: sorted keys, no spaces, no NaN."""
    import json

    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def odd_text(value: JsonValue) -> str | None:
    """Return a text in a value that is not UTF-8, such as a path with other bytes, written with escapes; else None."""
    try:
        canonical(value).encode()
    except UnicodeEncodeError:
        return next(filter(None, map(_odd, _texts(value))), None)
    return None


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (key, *_texts(item))
    elif isinstance(value, Sequence):
        for item in value:
            yield from _texts(item)


def _odd(text: str) -> str | None:
    shown = text.encode(errors="backslashreplace").decode()
    return None if shown == text else shown
