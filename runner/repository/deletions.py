"""Exports that were deleted by themselves: hidden at once, removed by the next pruning."""

from __future__ import annotations

from collections.abc import Iterable

from runner.base import ids
from runner.registry import location as locations
from runner.repository import crypto, encoding

PREFIX = "gc/deleted/"

# Where a manifest lies: pack and ordinal.
Place = tuple[bytes, int]


def read(location: locations.Location, keys: crypto.Keys, export: ids.ExportId) -> frozenset[Place]:
    """Return where manifests of a deleted export lie: pack and ordinal."""
    name = PREFIX + export
    try:
        data = location.get(name)
    except locations.ObjectMissing:
        return frozenset()
    return places_of(encoding.Fields(keys.open_object(name, data), name))


def add(
    location: locations.Location,
    keys: crypto.Keys,
    export: ids.ExportId,
    places: Iterable[Place],
    random: ids.RandomBytes,
) -> None:
    """Hide the manifests of an export that lie in these places.

    It is told by place and not by id, because the same phase may make the export anew.
    """
    hidden = read(location, keys, export) | set(places)
    if not hidden:
        return
    name = PREFIX + export
    payload = encoding.encode({"manifests": to_cbor(hidden)})
    location.put(name, [keys.seal_object(name, payload, random)], overwrite=True)


def to_cbor(places: Iterable[Place]) -> encoding.CborValue:
    """Return the value of the key `manifests` for these places."""
    return [{"pack": pack, "ordinal": ordinal} for pack, ordinal in sorted(places)]


def places_of(fields: encoding.Fields) -> frozenset[Place]:
    """Read what `to_cbor` returned.

    Raises:
        RepositoryDamaged: If it is something else.
    """
    return frozenset(
        (part.octets("pack", crypto.SALT_SIZE), part.integer("ordinal")) for part in fields.parts("manifests")
    )
