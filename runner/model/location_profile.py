"""A location profile: where exported data goes, and how its repository is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from runner.base.jsonvalue import JsonObject, JsonValue

# The keys of a location that name files and directories.
PATHS = frozenset({"path", "passphraseFile", "credentialsFile", "tokenFile", "caFile"})


class LocationProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A location as its document describes it.

    Attributes:
        settings: All of `spec`; paths in it are absolute.
    """

    name: str
    settings: Mapping[str, JsonValue]
    file: str


def with_absolute_paths(spec: Mapping[str, JsonValue], base: Path) -> JsonObject:
    """Return the `spec` of a location in which relative paths start at a directory."""
    return {key: _absolute(key, value, base) for key, value in spec.items()}


def _absolute(key: str, value: JsonValue, base: Path) -> JsonValue:
    if isinstance(value, Mapping):
        return with_absolute_paths(value, base)
    return str(base / Path(str(value)).expanduser()) if key in PATHS else value
