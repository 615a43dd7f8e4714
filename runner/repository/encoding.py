"""Deterministic CBOR, the form of all metadata; times are microseconds since 1970 in UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import cbor2

from runner.base.jsonvalue import JsonObject
from runner.repository import failures

CborValue: TypeAlias = "bool | int | float | str | bytes | Sequence[CborValue] | Mapping[str, CborValue] | None"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def encode(value: CborValue) -> bytes:
    """Write a value; equal values give equal bytes."""
    return cbor2.dumps(value, canonical=True)


def encode_sorted(value: CborValue) -> bytes:
    """Write as `encode` does, in a third of the time, a value without floats whose maps have their keys in order.

    Shorter keys come first, keys of one length in the order of their bytes.
    """
    return cbor2.dumps(value)


def decode(data: bytes, name: str) -> dict[str, CborValue]:
    """Read a map with text keys.

    Args:
        data: Exactly one encoded map.
        name: The object that it comes from, for the error.

    Raises:
        RepositoryDamaged: If it is anything else.
    """
    try:
        value = cbor2.loads(data, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError) as problem:
        raise failures.damaged(name, "its metadata cannot be decoded") from problem
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise failures.damaged(name, "its metadata is not a map")
    return value


def from_datetime(moment: datetime) -> int:
    """Write a moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(microseconds: int) -> datetime:
    """Read what `from_datetime` wrote."""
    return _EPOCH + timedelta(microseconds=microseconds)


def _is_json(value: CborValue) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    return not isinstance(value, bytes)


class Fields:
    """Typed access to a decoded map; whatever is missing or of another type makes the object a damaged one."""

    def __init__(self, data: bytes | Mapping[str, CborValue], name: str) -> None:
        self._name = name
        self._values = decode(data, name) if isinstance(data, bytes) else data

    def _wrong(self, key: str) -> failures.RepositoryDamaged:
        return failures.damaged(self._name, f'its field "{key}" is missing or of the wrong type')

    def text(self, key: str) -> str:
        """Return a text."""
        value = self._values.get(key)
        if not isinstance(value, str):
            raise self._wrong(key)
        return value

    def integer(self, key: str) -> int:
        """Return an integer of at least 0."""
        value = self._values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(key)
        return value

    def optional_text(self, key: str) -> str:
        """Return a text, or an empty one where there is none."""
        return self.text(key) if key in self._values else ""

    def optional_octets_items(self, key: str, length: int) -> tuple[bytes, ...]:
        """Return an array of byte strings of one length, or an empty one where there is none."""
        return self.octets_items(key, length) if key in self._values else ()

    def flag(self, key: str) -> bool:
        """Return a truth value."""
        value = self._values.get(key)
        if not isinstance(value, bool):
            raise self._wrong(key)
        return value

    def octets(self, key: str, length: int | None = None) -> bytes:
        """Return bytes, of that length when one is given."""
        value = self._values.get(key)
        if not isinstance(value, bytes) or (length is not None and len(value) != length):
            raise self._wrong(key)
        return value

    def moment(self, key: str) -> datetime:
        """Return a moment."""
        return to_datetime(self.integer(key))

    def mapping(self, key: str) -> Mapping[str, CborValue]:
        """Return a map with text keys."""
        value = self._values.get(key)
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise self._wrong(key)
        return value

    def json(self, key: str) -> JsonObject:
        """Return a map that holds JSON values only."""
        value = self.mapping(key)
        if not _is_json(value):
            raise self._wrong(key)
        return value

    def parts(self, key: str) -> tuple[Fields, ...]:
        """Return an array of maps."""
        found = []
        for value in self.items(key):
            if not isinstance(value, dict):
                raise self._wrong(key)
            found.append(Fields(value, self._name))
        return tuple(found)

    def items(self, key: str) -> Sequence[CborValue]:
        """Return an array."""
        value = self._values.get(key)
        if not isinstance(value, list):
            raise self._wrong(key)
        return value

    def octets_items(self, key: str, length: int) -> tuple[bytes, ...]:
        """Return an array of byte strings of one length."""
        found = self.items(key)
        if not all(isinstance(item, bytes) and len(item) == length for item in found):
            raise self._wrong(key)
        return tuple(item for item in found if isinstance(item, bytes))
