"""A location profile: where exported data goes, and which file holds the passphrase of its repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.base.jsonvalue import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationProfile:
    """A location as its document describes it.

    Attributes:
        type: Kind of location, by which its implementation is found.
        path: The directory, absolute, where the type has one.
        passphrase_file: Absolute path of the file whose first line is the passphrase.
        settings: All of `spec` as written, for types that take more than a path.
    """

    name: str
    type: str
    path: Path | None
    passphrase_file: Path | None
    settings: Mapping[str, JsonValue]
    file: str
