"""The contract of a storage driver, split by capability; what a driver implements is what it can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from runner.base import cancel, errors, ids, own_places, temporary
from runner.registry import estimates


class StorageError(errors.PermanentError):
    """A storage operation failed."""

    default_code = "RT300"


class StorageUnavailable(errors.TransientError):
    """A storage operation failed and may succeed later (throttling, a lost connection)."""

    default_code = "RT300"


class SnapshotMissing(StorageError):
    """The snapshot does not exist."""

    default_code = "RT301"


class VolumeMissing(StorageError):
    """The volume does not exist."""

    default_code = "RT302"


class SnapshotInUse(StorageError):
    """The snapshot cannot be deleted while something depends on it."""

    default_code = "RT303"


class QuotaExceeded(StorageError):
    """The provider refuses to hold more."""

    default_code = "RT304"


class SnapshotState(StrEnum):
    """Where a snapshot is on its way."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class Capability(StrEnum):
    """What a driver can do beyond the required; each stands for one protocol below."""

    READ_BLOCKS = "readBlocks"
    CHANGED_BLOCKS = "changedBlocks"
    RELEASE_BLOCKS = "releaseBlocks"
    WRITE_BLOCKS = "writeBlocks"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A point-in-time image held by the storage.

    Attributes:
        id: The handle; starts with `DRIVER:` so that it says by itself which driver holds it.
        volume: The volume as the blueprint names it.
        size_bytes: Size of the volume at that time.
        tags: What was put on it at creation; holds the creating phase's token.
        method: How it was taken, for people (`reflink`, `sparse copy: ext4 has no reflinks`).
        path: Where this machine can read it as a file or a directory; empty when nowhere.
    """

    id: ids.SnapshotId
    volume: str
    size_bytes: int
    created: datetime
    state: SnapshotState
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)
    method: str = ""
    path: str = ""


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a volume, in bytes; `zero` says that it holds nothing but zeros (so it need not be read)."""

    offset: int
    length: int
    zero: bool = False

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + self.length


class Incomparable(msgspec.Struct, frozen=True):
    """Two snapshots cannot be compared, so everything has to be read.

    Attributes:
        reason: A clause for people that says why (`the dirty bitmap of the base is gone`).
    """

    reason: str


class BlockReader(Protocol):
    """Reads blocks of one snapshot; safe from several threads. The blocks never change."""

    @property
    def size_bytes(self) -> int:
        """Size of the volume."""

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on; the range lies within the volume."""

    def allocated(self) -> Iterator[Extent]:
        """Yield the extents that may hold data, as `runner.registry.extents` says; all between them is zero."""


class BlockWriter(Protocol):
    """Writes blocks of one new volume; safe from several threads. What is never written stays zero."""

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write within the volume."""

    def commit(self) -> None:
        """Make everything durable and the volume visible under its name."""


class SnapshotDriver(Protocol):
    """What every driver can do.

    Volumes are named by texts of the driver's own form (a path, an id). All calls may be repeated: the driver keeps
    no state of its own between them. Errors are those of this module, `EnvironmentProblem` (RT310 to RT312) and
    `Cancelled` only.
    """

    @property
    def name(self) -> str:
        """The name under which it is registered, and with which its snapshot ids start."""

    @property
    def listing_delay(self) -> timedelta:
        """How long after `create_snapshot` a listing may not show the snapshot yet."""

    def create_snapshot(self, volume: str, tags: Mapping[str, str], cancel: cancel.CancelToken) -> Snapshot:
        """Take a snapshot; returns as soon as it has an id, perhaps still `pending`.

        Raises:
            VolumeMissing: If the volume does not exist.
            QuotaExceeded: If the provider holds as many as it may.
        """

    def get_snapshot(self, snapshot: ids.SnapshotId) -> Snapshot:
        """Describe a snapshot.

        Raises:
            SnapshotMissing: If it does not exist.
        """

    def list_snapshots(self, volume: str, tags: Mapping[str, str]) -> list[Snapshot]:
        """Return the snapshots of a volume that carry all these tags, oldest first.

        The volume need not exist any more. What was created may be missing for `listing_delay`.
        """

    def delete_snapshot(self, snapshot: ids.SnapshotId) -> None:
        """Delete a snapshot; succeeds if it does not exist.

        Raises:
            SnapshotInUse: While something depends on it.
        """


@runtime_checkable
class ReadBlocks(Protocol):
    """The driver can read the blocks of a snapshot."""

    def open_snapshot(self, snapshot: ids.SnapshotId) -> AbstractContextManager[BlockReader]:
        """Open a ready snapshot for reading.

        Raises:
            SnapshotMissing: If it does not exist.
            StorageError: RT300 if it is not ready, RT306 if it has no blocks (a snapshot of a directory).
        """


@runtime_checkable
class ChangedBlocks(Protocol):
    """The driver knows, or can find out, what changed between two snapshots of a volume."""

    def changed_extents(self, base: ids.SnapshotId, snapshot: ids.SnapshotId) -> Iterator[Extent] | Incomparable:
        """Yield what may differ, as `runner.registry.extents` says; or why the two cannot be compared.

        A base that does not exist any more, another volume, and a volume that shrank count as not comparable. The
        blocks of the base may have been released.

        Raises:
            SnapshotMissing: If the newer snapshot does not exist.
        """


@runtime_checkable
class ForeseesChanges(Protocol):
    """The driver can tell before a snapshot is taken how it will find out what changed."""

    def foresee_changes(self, volume: str) -> estimates.Way | None:
        """Tell it for a volume, without changing anything and without reading its data; None if it has no blocks.

        Raises:
            StorageError: If the volume cannot be looked at.
        """


@runtime_checkable
class ReleaseBlocks(Protocol):
    """Keeping the blocks of a snapshot costs something, and the driver can compare without those of the base."""

    def release_blocks(self, snapshot: ids.SnapshotId) -> None:
        """Give up the blocks of a snapshot, and keep what it takes to compare a newer one with it.

        It may be repeated. The snapshot stays listed until it is deleted, but whether it can still be opened is not
        promised: where keeping the blocks costs nothing, nothing happens.

        Raises:
            SnapshotMissing: If it does not exist.
        """


@runtime_checkable
class WriteBlocks(Protocol):
    """The driver can make a new volume from data."""

    def create_volume(
        self, volume: str, size_bytes: int, *, overwrite: bool, token: str = ""
    ) -> AbstractContextManager[BlockWriter]:
        """Start a new volume; leaving the context without `commit` leaves nothing behind.

        Args:
            volume: Its name.
            size_bytes: Its size, rounded up where the storage has only sizes of some grain.
            overwrite: Whether an existing volume is replaced at the commit.
            token: Put on the volume at the commit, where the storage can, so that `made_with` finds it again.

        Raises:
            EnvironmentProblem: RT310 if it exists and `overwrite` is false.
        """

    def made_with(self, volume: str, token: str) -> bool:
        """Tell whether the volume that exists now was created with this token; an empty token never matches."""


class RestingVolume(BlockReader, Protocol):
    """Reads blocks of a volume itself."""

    def confirm(self) -> None:
        """Make sure that nobody has written to it since it was opened.

        Raises:
            StorageUnavailable: If somebody has.
        """


class BlockUpdater(Protocol):
    """Reads and writes blocks of a volume that exists; safe from several threads for different blocks."""

    @property
    def size_bytes(self) -> int:
        """Size of what is to be there; the volume may be larger."""

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write in place."""

    def zero(self, offset: int, length: int) -> None:
        """Make a stretch zero."""

    def commit(self) -> None:
        """Make everything durable."""


@runtime_checkable
class AtRest(Protocol):
    """The driver can work on a volume itself, without a snapshot, while nobody else writes to it."""

    def open_volume(self, volume: str) -> AbstractContextManager[RestingVolume]:
        """Open a volume for reading.

        Raises:
            VolumeMissing: If it does not exist.
            StorageError: RT306 if it has no blocks, RT316 while somebody may write to it.
        """

    def update_volume(self, volume: str, size_bytes: int) -> AbstractContextManager[BlockUpdater]:
        """Open a volume that exists for writing in place; what was written stays, also without a commit.

        Raises:
            VolumeMissing: If it does not exist.
            StorageError: RT306 if it has no blocks.
            EnvironmentProblem: RT311 if it is too small or in use.
        """


@runtime_checkable
class MakesCopies(Protocol):
    """The snapshots of the driver may be copies of what lies on this machine."""

    def making_copies(self, *, leaving_out: own_places.OwnPlaces, within: temporary.TemporarySpace) -> SnapshotDriver:
        """Return a driver like this one.

        Args:
            leaving_out: Directories of the runner itself, which its snapshots are without.
            within: Where it takes the space that its copies need; they count until the run has ended.
        """


_PROTOCOLS = {
    Capability.READ_BLOCKS: ReadBlocks,
    Capability.CHANGED_BLOCKS: ChangedBlocks,
    Capability.RELEASE_BLOCKS: ReleaseBlocks,
    Capability.WRITE_BLOCKS: WriteBlocks,
}


def capabilities(driver: SnapshotDriver) -> frozenset[Capability]:
    """Return what the driver can do, from what it implements."""
    return frozenset(name for name, protocol in _PROTOCOLS.items() if isinstance(driver, protocol))


def driver_of(snapshot: ids.SnapshotId) -> str:
    """Return the name of the driver that holds a snapshot."""
    return snapshot.partition(":")[0]
