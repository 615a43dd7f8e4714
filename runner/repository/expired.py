"""Locks that were taken away from a holder who may still be alive: what it stores from then on counts no more."""

from __future__ import annotations

import contextlib
from collections.abc import Container
from datetime import datetime, timedelta

from runner.base import ids
from runner.registry import location as locations
from runner.repository import crypto, encoding

PREFIX = "gc/expired/"
# Nobody sleeps longer between two requests.
_LIMIT = timedelta(days=30)


def put(location: locations.Location, keys: crypto.Keys, lock: str, random: ids.RandomBytes) -> None:
    """Say that a lock counts no more; to be done before it is removed."""
    name = PREFIX + lock
    location.put(name, [keys.seal_object(name, encoding.encode({}), random)], overwrite=True)


def has(location: locations.Location, lock: str) -> bool:
    """Tell whether a lock was taken away."""
    return locations.exists(location, PREFIX + lock)


def names(location: locations.Location) -> frozenset[str]:
    """Return the locks that were taken away."""
    return frozenset(info.name.removeprefix(PREFIX) for info in location.list(PREFIX))


def forget(location: locations.Location, now: datetime, *, named: Container[str]) -> None:
    """Remove what is so old, by the clock of the location, that its holder cannot come back.

    Args:
        location: Where the repository is.
        now: The time.
        named: Locks that segments name: as long as they do, it has to be known.
    """
    for info in list(location.list(PREFIX)):
        if now - info.modified > _LIMIT and info.name.removeprefix(PREFIX) not in named:
            with contextlib.suppress(locations.ObjectLocked):
                location.delete(info.name)
