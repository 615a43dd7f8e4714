"""Packs and exports that a pruning has condemned: gone for whoever begins now, there for who began before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from runner.base import ids
from runner.registry import location as locations
from runner.repository import crypto, deletions, encoding, failures

PREFIX = "gc/condemned/"
_ID_LENGTH = 16


class Condemnation(msgspec.Struct, frozen=True, kw_only=True):
    """What one pruning has condemned.

    Attributes:
        name: The object.
        packs: What nothing needed when it was stored.
        strays: Packs that no index named then. Only who wrote them can come to need them, so nobody has to avoid them.
        manifests: Where the manifests of the exports lie that nobody wanted.
        moved: How many bytes of the packs were packed anew before.
        waiting: The shared locks that were held after it was stored; None as long as nobody has looked.
    """

    name: str
    packs: frozenset[bytes] = frozenset()
    strays: frozenset[bytes] = frozenset()
    manifests: frozenset[deletions.Place] = frozenset()
    moved: int = 0
    waiting: frozenset[str] | None = None


class Condemned(msgspec.Struct, frozen=True):
    """Everything that is condemned at one moment."""

    packs: frozenset[bytes] = frozenset()
    strays: frozenset[bytes] = frozenset()
    manifests: frozenset[deletions.Place] = frozenset()


def new_name(random: ids.RandomBytes) -> str:
    """Return a name for a new object."""
    return PREFIX + ids.base32(random(10), _ID_LENGTH)


def put(location: locations.Location, keys: crypto.Keys, condemnation: Condemnation, random: ids.RandomBytes) -> None:
    """Store a condemnation, or what has become of it."""
    fields: dict[str, encoding.CborValue] = {
        "packs": sorted(condemnation.packs),
        "strays": sorted(condemnation.strays),
        "manifests": deletions.to_cbor(condemnation.manifests),
        "moved": condemnation.moved,
        "armed": condemnation.waiting is not None,
        "waiting": sorted(condemnation.waiting or ()),
    }
    data = keys.seal_object(condemnation.name, encoding.encode(fields), random)
    location.put(condemnation.name, [data], overwrite=True)


def read_all(location: locations.Location, keys: crypto.Keys) -> Iterator[Condemnation]:
    """Yield all condemnations, ordered by name.

    Raises:
        RepositoryDamaged: If one is not what was written; then nobody knows which packs may be relied on.
    """
    for info in list(location.list(PREFIX)):
        try:
            yield _decode(info.name, keys.open_object(info.name, location.get(info.name)))
        except locations.ObjectMissing:
            continue


def _decode(name: str, data: bytes) -> Condemnation:
    fields = encoding.Fields(data, name)
    waiting = fields.items("waiting")
    return Condemnation(
        name=name,
        packs=frozenset(fields.octets_items("packs", crypto.SALT_SIZE)),
        strays=frozenset(fields.octets_items("strays", crypto.SALT_SIZE)),
        manifests=deletions.places_of(fields),
        moved=fields.integer("moved"),
        waiting=frozenset(str(lock) for lock in waiting) if fields.flag("armed") else None,
    )


def together(condemnations: Iterable[Condemnation]) -> Condemned:
    """Return what several condemn."""
    found = list(condemnations)
    return Condemned(
        frozenset(pack for each in found for pack in each.packs),
        frozenset(pack for each in found for pack in each.strays),
        frozenset(place for each in found for place in each.manifests),
    )


def forget_damaged(location: locations.Location, keys: crypto.Keys) -> None:
    """Remove what cannot be read: nothing was, or will be, removed for its sake."""
    for info in list(location.list(PREFIX)):
        try:
            _decode(info.name, keys.open_object(info.name, location.get(info.name)))
        except locations.ObjectMissing:
            continue
        except failures.RepositoryDamaged:
            location.delete(info.name)
