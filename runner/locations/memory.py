"""A location in memory, for tests and rehearsals: everything of the contract, with a listing that lags and a quota."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence

import msgspec

from runner.base import clock as clocks
from runner.base import errors, quantities
from runner.locations import names
from runner.registry import location


class _Object(msgspec.Struct, frozen=True, kw_only=True):
    info: location.ObjectInfo
    data: bytes
    listed_from: float


class Memory:
    """Stores objects in this process.

    Args:
        name: What the URL says.
        listing_delay: Seconds of the clock after which a listing shows what was put.
        quota_bytes: How much it holds; more is a full disk.
        clock: Tells when objects were put, and lets the delay pass.
    """

    def __init__(
        self,
        name: str = "test",
        *,
        listing_delay: float = 0.0,
        quota_bytes: int | None = None,
        clock: clocks.Clock | None = None,
    ) -> None:
        self._name = name
        self._delay = listing_delay
        self._quota = quota_bytes
        self._clock = clock or clocks.SystemClock()
        self._objects: dict[str, _Object] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The `memory://` URL."""
        return f"memory://{self._name}"

    @property
    def listing_delay(self) -> float:
        """Seconds after which a listing shows what was put."""
        return self._delay

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Store an object."""
        names.check(name)
        content = b"".join(data)
        with self._lock:
            held = self._objects.get(name)
            if held is not None and not overwrite:
                raise location.ObjectExists(f"there is an object {name} already", hint="choose another name")
            self._check_quota(len(content) - (held.info.size if held else 0))
            info = location.ObjectInfo(name=name, size=len(content), modified=self._clock.now())
            listed_from = held.listed_from if held else self._clock.monotonic() + self._delay
            self._objects[name] = _Object(info=info, data=content, listed_from=listed_from)

    def get(self, name: str) -> bytes:
        """Return a whole object."""
        return self._find(name).data

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""
        data = memoryview(self._find(name).data)[offset : offset + target.nbytes]
        if len(data) < target.nbytes:
            raise location.LocationError(f"the object {name} ends before what is to be read")
        memoryview(target).cast("B")[:] = data

    def stat(self, name: str) -> location.ObjectInfo:
        """Describe an object."""
        return self._find(name).info

    def list(self, prefix: str) -> Iterator[location.ObjectInfo]:
        """List objects in the order of names."""
        names.check_prefix(prefix)
        now = self._clock.monotonic()
        with self._lock:
            seen = [held for name, held in self._objects.items() if name.startswith(prefix) and held.listed_from <= now]
        return iter(sorted((held.info for held in seen), key=lambda info: info.name))

    def delete(self, name: str) -> None:
        """Remove an object."""
        names.check(name)
        with self._lock:
            self._objects.pop(name, None)

    def sweep(self) -> int:
        """Find nothing: an interrupted call leaves nothing in memory."""
        return 0

    def _find(self, name: str) -> _Object:
        names.check(name)
        with self._lock:
            held = self._objects.get(name)
        if held is None:
            raise location.ObjectMissing(f"there is no object {name} in {self.url}")
        return held

    def _check_quota(self, more: int) -> None:
        if self._quota is None:
            return
        used = sum(held.info.size for held in self._objects.values())
        if used + more > self._quota:
            raise errors.EnvironmentProblem(
                f"{self.url} is full: {quantities.bytes_for_people(self._quota - used)} free",
                code="RT312",
                hint="make room there, or use another place",
            )


@functools.cache
def named(name: str) -> Memory:
    """Return the memory of this process that has this name, always the same one."""
    return Memory(name)
