"""What pruning does at a location that locks what is stored."""

from __future__ import annotations

from collections.abc import Iterable

from runner.registry import location as locations
from runner.repository import config, keyslots, records


def locked_packs(location: locations.Location, salts: Iterable[bytes]) -> set[bytes]:
    """Return the packs that the location would not let go; a later pruning comes for them."""
    if not isinstance(location, locations.Retaining):
        return set()
    return {salt for salt in salts if location.locked_until(records.pack_name(salt)) is not None}


def in_use(location: locations.Location, used: Iterable[bytes]) -> list[str]:
    """Return the objects without which nothing can be restored from some packs; none where nothing is locked."""
    if not isinstance(location, locations.Retaining):
        return []
    slots = [info.name for info in location.list(keyslots.PREFIX)]
    return [config.NAME, *slots, *map(records.pack_name, used)]


def extend(location: locations.Location, name: str) -> None:
    """Lock an object for as long as one that is stored now."""
    if isinstance(location, locations.Retaining):
        location.extend(name)
