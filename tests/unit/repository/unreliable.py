"""A location that fails at random."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from runner.registry import location
from runner.testing import faults


class Unreliable(faults.FaultyLocation):
    """A location that fails at random, in the ways of an object store behind a bad network.

    A call may fail before it has an effect, or after it had one (the answer was lost); a listing may show what was
    there a while ago; a read may bring half an object. A seed makes all of it happen again.

    Args:
        inner: The location.
        seed: Of the random numbers.
        rate: How many of the calls are disturbed, from 0 to 1; may be changed at any time.
    """

    def __init__(self, inner: location.Location, *, seed: int, rate: float) -> None:
        super().__init__(inner, faults.FaultSet())
        self.rate = rate
        self._draw = random.Random(seed)
        self._guard = threading.Lock()
        self._listings: dict[str, list[location.ObjectInfo]] = {}

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Store an object, perhaps without an answer."""
        with self._disturbed(name):
            super().put(name, data, overwrite=overwrite)

    def get(self, name: str) -> bytes:
        """Return a whole object, or half of it."""
        with self._disturbed(name):
            data = super().get(name)
        return data[: len(data) // 2] if self._happens() else data

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Fill `target`, or fail halfway."""
        with self._disturbed(name):
            super().read_into(name, offset, target)

    def stat(self, name: str) -> location.ObjectInfo:
        """Describe an object."""
        with self._disturbed(name):
            return super().stat(name)

    def list(self, prefix: str) -> Iterator[location.ObjectInfo]:
        """List objects, perhaps without those that were stored since the listing before."""
        with self._disturbed(prefix):
            found = [*super().list(prefix)]
        with self._guard:
            before = self._listings.get(prefix, [])
            self._listings[prefix] = found
        if self._happens():
            names = {info.name for info in before}
            return iter([info for info in found if info.name in names])
        return iter(found)

    def delete(self, name: str) -> None:
        """Remove an object, perhaps without an answer."""
        with self._disturbed(name):
            super().delete(name)

    def _happens(self) -> bool:
        with self._guard:
            return self._draw.random() < self.rate

    @contextmanager
    def _disturbed(self, name: str) -> Iterator[None]:
        problem = location.LocationUnavailable(f"{self.url} did not answer about {name}")
        if self._happens():
            raise problem
        yield
        if self._happens():
            raise problem
