"""A location that may only be read, whatever its credentials would allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NoReturn

from runner.base import errors
from runner.registry import location


class ReadOnly:
    """Hands on what reads, and refuses what writes before the location inside hears of it."""

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

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Refuse."""
        self._refuse()

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
        """Refuse."""
        self._refuse()

    def sweep(self) -> int:
        """Leave everything."""
        return 0

    def _refuse(self) -> NoReturn:
        raise errors.EnvironmentProblem(
            f"the location {self.url} may only be read",
            code="RT311",
            hint="its profile says readOnly: true; use another location for what writes",
        )
