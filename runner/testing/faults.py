"""Faults on purpose: drivers and locations that fail, or take their time, at calls that a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Protocol

import msgspec

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import ids
from runner.locations import wrapper
from runner.registry import driver, location


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What happens at one call.

    Attributes:
        method: Name of the method.
        call: Which call of it, from 1; 0 for every call.
        error: What is raised; None for a delay alone.
        lost_answer: The call takes effect before the error is raised, as when only the answer was lost.
        delay: How long the call waits first, on the set's clock.
    """

    method: str
    call: int = 1
    error: Exception | None = None
    lost_answer: bool = False
    delay: timedelta = timedelta(0)


class FaultSet:
    """The faults of one wrapped object, and how often each of its methods was called; safe from any thread."""

    def __init__(self, *faults: Fault, clock: clocks.Clock | None = None) -> None:
        self._faults = list(faults)
        self._clock = clock or clocks.SystemClock()
        self._calls: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Plan one more fault; calls are counted from the beginning of the set."""
        with self._lock:
            self._faults.append(fault)

    @property
    def calls(self) -> Mapping[str, int]:
        """How often each method was called so far."""
        with self._lock:
            return dict(self._calls)

    @contextmanager
    def around(self, method: str) -> Iterator[None]:
        """Surround one call: count it, and delay or fail it as planned."""
        with self._lock:
            number = self._calls[method] = self._calls.get(method, 0) + 1
            planned = [fault for fault in self._faults if fault.method == method and fault.call in (0, number)]
        for fault in planned:
            if fault.delay:
                self._clock.wait(threading.Event(), fault.delay.total_seconds())
            if fault.error is not None and not fault.lost_answer:
                raise fault.error
        yield
        for fault in planned:
            if fault.error is not None:
                raise fault.error


class FaultyLocation(wrapper.Wrapper):
    """A location with faults."""

    def __init__(self, inner: location.Location, faults: FaultSet) -> None:
        super().__init__(inner)
        self._faults = faults

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Store an object."""
        with self._faults.around("put"):
            self._inner.put(name, data, overwrite=overwrite)

    def get(self, name: str) -> bytes:
        """Return a whole object."""
        with self._faults.around("get"):
            return self._inner.get(name)

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""
        with self._faults.around("read_into"):
            self._inner.read_into(name, offset, target)

    def stat(self, name: str) -> location.ObjectInfo:
        """Describe an object."""
        with self._faults.around("stat"):
            return self._inner.stat(name)

    def list(self, prefix: str) -> Iterator[location.ObjectInfo]:
        """List objects."""
        with self._faults.around("list"):
            return self._inner.list(prefix)

    def delete(self, name: str) -> None:
        """Remove an object."""
        with self._faults.around("delete"):
            self._inner.delete(name)

    def sweep(self) -> int:
        """Remove leftovers."""
        with self._faults.around("sweep"):
            return self._inner.sweep()


class FullDriver(driver.SnapshotDriver, driver.ReadBlocks, driver.ChangedBlocks, driver.WriteBlocks, Protocol):
    """A driver with every capability but that of releasing blocks."""


class FaultyDriver:
    """A driver with faults; the one inside has every capability but one, so that this one claims no more than it."""

    def __init__(self, inner: FullDriver, faults: FaultSet) -> None:
        self._inner = inner
        self._faults = faults

    @property
    def name(self) -> str:
        """Return the name of the driver inside."""
        return self._inner.name

    @property
    def listing_delay(self) -> timedelta:
        """Return the delay of the driver inside."""
        return self._inner.listing_delay

    def create_snapshot(self, volume: str, tags: Mapping[str, str], cancel: cancels.CancelToken) -> driver.Snapshot:
        """Take a snapshot."""
        with self._faults.around("create_snapshot"):
            return self._inner.create_snapshot(volume, tags, cancel)

    def get_snapshot(self, snapshot: ids.SnapshotId) -> driver.Snapshot:
        """Describe a snapshot."""
        with self._faults.around("get_snapshot"):
            return self._inner.get_snapshot(snapshot)

    def list_snapshots(self, volume: str, tags: Mapping[str, str]) -> list[driver.Snapshot]:
        """List snapshots."""
        with self._faults.around("list_snapshots"):
            return self._inner.list_snapshots(volume, tags)

    def delete_snapshot(self, snapshot: ids.SnapshotId) -> None:
        """Delete a snapshot."""
        with self._faults.around("delete_snapshot"):
            self._inner.delete_snapshot(snapshot)

    def open_snapshot(self, snapshot: ids.SnapshotId) -> AbstractContextManager[driver.BlockReader]:
        """Open a snapshot."""
        with self._faults.around("open_snapshot"):
            return self._inner.open_snapshot(snapshot)

    def changed_extents(
        self, base: ids.SnapshotId, snapshot: ids.SnapshotId
    ) -> Iterator[driver.Extent] | driver.Incomparable:
        """Compare two snapshots."""
        with self._faults.around("changed_extents"):
            return self._inner.changed_extents(base, snapshot)

    def create_volume(
        self, volume: str, size_bytes: int, *, overwrite: bool, token: str = ""
    ) -> AbstractContextManager[driver.BlockWriter]:
        """Start a new volume."""
        with self._faults.around("create_volume"):
            return self._inner.create_volume(volume, size_bytes, overwrite=overwrite, token=token)

    def made_with(self, volume: str, token: str) -> bool:
        """Tell who created a volume."""
        with self._faults.around("made_with"):
            return self._inner.made_with(volume, token)
