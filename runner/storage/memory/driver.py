"""The reference driver: it shows what the contract means, and lets tests and rehearsals choose the difficult cases."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import msgspec
from msgspec import structs

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import errors, ids
from runner.registry import driver, extents
from runner.storage.memory import blocks


class _Held(msgspec.Struct):
    snapshot: driver.Snapshot
    data: bytes
    taken: float
    readers: int = 0
    released: bool = False


class MemoryDriver:
    """Volumes and snapshots in this process.

    Args:
        ready_after: How long a snapshot stays pending, on the clock.
        listing_delay: How long a listing does not show a new snapshot, on the clock.
        quota: How many snapshots it holds at most.
        clock: The time.
    """

    name = "memory"

    def __init__(
        self,
        *,
        ready_after: timedelta = timedelta(0),
        listing_delay: timedelta = timedelta(0),
        quota: int | None = None,
        clock: clocks.Clock | None = None,
    ) -> None:
        self._ready_after = ready_after.total_seconds()
        self._listing_delay = listing_delay
        self._quota = quota
        self._clock = clock or clocks.SystemClock()
        self._volumes: dict[str, bytes] = {}
        self._tokens: dict[str, str] = {}
        self._snapshots: dict[ids.SnapshotId, _Held] = {}
        self._taken = 0
        self._lock = threading.RLock()

    @property
    def listing_delay(self) -> timedelta:
        """How long a listing does not show a new snapshot."""
        return self._listing_delay

    def put_volume(self, volume: str, data: bytes) -> None:
        """Make a volume, or replace what is in it, as the application that uses it would."""
        with self._lock:
            self._volumes[volume] = data

    def volume(self, volume: str) -> bytes:
        """Return what is in a volume.

        Raises:
            VolumeMissing: If it does not exist.
        """
        with self._lock:
            data = self._volumes.get(volume)
        if data is None:
            raise driver.VolumeMissing(f"there is no volume {volume}", hint="check the name of the volume")
        return data

    def fail_snapshot(self, snapshot: ids.SnapshotId) -> None:
        """Let a snapshot fail, as a provider may while it is pending."""
        with self._lock:
            held = self._find(snapshot)
            held.snapshot = structs.replace(held.snapshot, state=driver.SnapshotState.FAILED)

    def create_snapshot(self, volume: str, tags: Mapping[str, str], cancel: cancels.CancelToken) -> driver.Snapshot:
        """Take a snapshot."""
        cancel.raise_if_cancelled()
        with self._lock:
            data = self.volume(volume)
            if self._quota is not None and len(self._snapshots) >= self._quota:
                raise driver.QuotaExceeded(
                    f"there are {self._quota} snapshots already, which is the quota", hint="delete some of them"
                )
            self._taken += 1
            snapshot = driver.Snapshot(
                id=ids.SnapshotId(f"{self.name}:{self._taken}"),
                volume=volume,
                size_bytes=len(data),
                created=self._clock.now(),
                state=driver.SnapshotState.PENDING,
                tags=dict(tags),
                method="copy in memory",
            )
            held = self._snapshots[snapshot.id] = _Held(snapshot, data, self._clock.monotonic())
            return self._described(held)

    def get_snapshot(self, snapshot: ids.SnapshotId) -> driver.Snapshot:
        """Describe a snapshot."""
        with self._lock:
            return self._described(self._find(snapshot))

    def list_snapshots(self, volume: str, tags: Mapping[str, str]) -> list[driver.Snapshot]:
        """Return the snapshots of a volume with these tags, oldest first."""
        shown_until = self._clock.monotonic() - self._listing_delay.total_seconds()
        with self._lock:
            held = [held for held in self._snapshots.values() if held.taken <= shown_until]
            return [
                self._described(one)
                for one in sorted(held, key=lambda one: one.taken)
                if one.snapshot.volume == volume and tags.items() <= one.snapshot.tags.items()
            ]

    def delete_snapshot(self, snapshot: ids.SnapshotId) -> None:
        """Delete a snapshot, unless somebody reads it."""
        with self._lock:
            held = self._snapshots.get(snapshot)
            if held is not None and held.readers:
                raise driver.SnapshotInUse(
                    f"the snapshot {snapshot} is being read", hint="delete it after its export has ended"
                )
            self._snapshots.pop(snapshot, None)

    @contextmanager
    def open_snapshot(self, snapshot: ids.SnapshotId) -> Iterator[driver.BlockReader]:
        """Open a ready snapshot for reading."""
        with self._lock:
            held = self._find(snapshot)
            state = self._described(held).state
            if state is not driver.SnapshotState.READY:
                raise driver.StorageError(f"the snapshot {snapshot} is {state}", hint="wait until it is ready")
            if held.released:
                raise driver.StorageError(f"the blocks of {snapshot} were released", hint="take a new snapshot")
            held.readers += 1
        try:
            yield blocks.Reader(held.data)
        finally:
            with self._lock:
                held.readers -= 1

    def changed_extents(
        self, base: ids.SnapshotId, snapshot: ids.SnapshotId
    ) -> Iterator[driver.Extent] | driver.Incomparable:
        """Yield what differs, unless the base is gone, of another volume, or larger."""
        with self._lock:
            old, new = self._snapshots.get(base), self._find(snapshot)
        if old is None:
            return driver.Incomparable(f"the snapshot {base} is gone")
        if old.snapshot.volume != new.snapshot.volume:
            return driver.Incomparable(f"{base} is a snapshot of another volume")
        if len(old.data) > len(new.data):
            return driver.Incomparable("the volume has shrunk")
        return extents.merged(
            driver.Extent(offset=offset, length=len(page), zero=page.count(0) == len(page))
            for offset, page in blocks.pages(new.data)
            if old.data[offset : offset + len(page)] != page
        )

    def release_blocks(self, snapshot: ids.SnapshotId) -> None:
        """Let the snapshot be opened no more; its data stays, to be compared with."""
        with self._lock:
            self._find(snapshot).released = True

    @contextmanager
    def create_volume(
        self, volume: str, size_bytes: int, *, overwrite: bool, token: str = ""
    ) -> Iterator[driver.BlockWriter]:
        """Start a new volume; it appears at the commit."""
        with self._lock:
            self._refuse(volume, overwrite)

        def publish(data: bytes) -> None:
            with self._lock:
                self._refuse(volume, overwrite)
                self._volumes[volume] = data
                self._tokens[volume] = token

        yield blocks.Writer(size_bytes, publish)

    def made_with(self, volume: str, token: str) -> bool:
        """Tell whether a volume was created with this token."""
        with self._lock:
            return bool(token) and volume in self._volumes and self._tokens.get(volume) == token

    def _refuse(self, volume: str, overwrite: bool) -> None:
        if volume in self._volumes and not overwrite:
            raise errors.EnvironmentProblem(
                f"there is a volume {volume} already", code="RT310", hint="choose another one, or allow --overwrite"
            )

    def _find(self, snapshot: ids.SnapshotId) -> _Held:
        held = self._snapshots.get(snapshot)
        if held is None:
            raise driver.SnapshotMissing(f"there is no snapshot {snapshot}")
        return held

    def _described(self, held: _Held) -> driver.Snapshot:
        waited = self._clock.monotonic() - held.taken
        if held.snapshot.state is driver.SnapshotState.PENDING and waited >= self._ready_after:
            held.snapshot = structs.replace(held.snapshot, state=driver.SnapshotState.READY)
        return held.snapshot


@functools.cache
def shared() -> MemoryDriver:
    """Return the one memory driver of this process, which blueprints use."""
    return MemoryDriver()
