"""A location that hands every call on, for those that do something of their own with some of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Self

from runner.base import cancel as cancels
from runner.registry import location


class Wrapper:
    """Hands every call on to the location inside."""

    def __init__(self, inner: location.Location) -> None:
        self._inner = inner

    @property
    def url(self) -> str:
        """The URL of the location inside."""
        return self._inner.url

    @property
    def listing_delay(self) -> float:
        """The delay of the location inside."""
        return self._inner.listing_delay

    def giving_up(self, cancel: cancels.CancelToken) -> Self:
        """Return the same around a location of which no call waits for its turn once the token is cancelled."""
        found = copy.copy(self)
        found._inner = location.giving_up(self._inner, cancel)
        return found

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Store an object."""
        self._inner.put(name, data, overwrite=overwrite)

    def get(self, name: str) -> bytes:
        """Return a whole object."""
        return self._inner.get(name)

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""
        self._inner.read_into(name, offset, target)

    def stat(self, name: str) -> location.ObjectInfo:
        """Describe an object."""
        return self._inner.stat(name)

    def list(self, prefix: str) -> Iterator[location.ObjectInfo]:
        """List objects in the order of names."""
        return self._inner.list(prefix)

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._inner.delete(name)

    def sweep(self) -> int:
        """Sweep the location inside."""
        return self._inner.sweep()
