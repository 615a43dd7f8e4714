"""A location on which changes can be tried out: they are kept in memory, the one below stays as it is."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from runner.registry import location as locations


class Overlay:
    """What would be at a location.

    Args:
        below: The location; it is only read.
    """

    def __init__(self, below: locations.Location) -> None:
        self._below = below
        self._put: dict[str, tuple[locations.ObjectInfo, bytes]] = {}
        self._gone: set[str] = set()

    @property
    def url(self) -> str:
        """The URL of the location below."""
        return self._below.url

    @property
    def listing_delay(self) -> float:
        """Nothing is waited for."""
        return 0.0

    def put(self, name: str, data: Sequence[locations.Buffer], *, overwrite: bool = False) -> None:
        """Keep an object in memory; whether there is one already is not asked."""
        content = b"".join(data)
        info = locations.ObjectInfo(name=name, size=len(content), modified=datetime.fromtimestamp(0, UTC))
        self._put[name] = info, content

    def get(self, name: str) -> bytes:
        """Return a whole object."""
        if name in self._put:
            return self._put[name][1]
        self._refuse_gone(name)
        return self._below.get(name)

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""
        if name in self._put:
            memoryview(target).cast("B")[:] = self._put[name][1][offset : offset + target.nbytes]
            return
        self._refuse_gone(name)
        self._below.read_into(name, offset, target)

    def stat(self, name: str) -> locations.ObjectInfo:
        """Describe an object."""
        if name in self._put:
            return self._put[name][0]
        self._refuse_gone(name)
        return self._below.stat(name)

    def list(self, prefix: str) -> Iterator[locations.ObjectInfo]:
        """List objects in the order of names."""
        new = sorted((info for info, _ in self._put.values()), key=lambda info: info.name)
        old = (info for info in self._below.list(prefix) if info.name not in self._put and info.name not in self._gone)
        mine = (info for info in new if info.name.startswith(prefix))
        return heapq.merge(mine, old, key=lambda info: info.name)

    def delete(self, name: str) -> None:
        """Remember that an object is gone."""
        self._put.pop(name, None)
        self._gone.add(name)

    def sweep(self) -> int:
        """Leave everything."""
        return 0

    def _refuse_gone(self, name: str) -> None:
        if name in self._gone:
            raise locations.ObjectMissing(f"there is no object {name} in {self.url}")
