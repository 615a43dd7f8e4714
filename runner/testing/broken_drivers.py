"""Drivers that are wrong in one way each; the contract suite must fail every one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeAlias

import msgspec
from msgspec import structs

from runner.base import cancel as cancels
from runner.base import ids
from runner.registry import driver, extents
from runner.storage.memory import driver as memory

_Changes: TypeAlias = "Iterator[driver.Extent] | driver.Incomparable"


class LeaksOtherErrors(memory.MemoryDriver):
    """Lets an error of its own library through."""

    def get_snapshot(self, snapshot: ids.SnapshotId) -> driver.Snapshot:
        """Look up without translating."""
        return self._described(self._snapshots[snapshot])


class LosesTags(memory.MemoryDriver):
    """Forgets the tags, so nothing is found again after a crash."""

    def create_snapshot(self, volume: str, tags: Mapping[str, str], cancel: cancels.CancelToken) -> driver.Snapshot:
        """Drop the tags."""
        return super().create_snapshot(volume, {}, cancel)


class MatchesAnyTag(memory.MemoryDriver):
    """Lists what carries one of the tags instead of all."""

    def list_snapshots(self, volume: str, tags: Mapping[str, str]) -> list[driver.Snapshot]:
        """Take any for all."""
        found = super().list_snapshots(volume, {})
        return [one for one in found if not tags or tags.items() & one.tags.items()]


class ListsOtherVolumes(memory.MemoryDriver):
    """Lists by tags alone."""

    def list_snapshots(self, volume: str, tags: Mapping[str, str]) -> list[driver.Snapshot]:
        """Ignore the volume."""
        return [one for name in [*self._volumes] for one in super(ListsOtherVolumes, self).list_snapshots(name, tags)]


class ListsNewestFirst(memory.MemoryDriver):
    """Lists in the wrong order."""

    def list_snapshots(self, volume: str, tags: Mapping[str, str]) -> list[driver.Snapshot]:
        """Reverse."""
        return super().list_snapshots(volume, tags)[::-1]


class ListsLaterThanItSays(memory.MemoryDriver):
    """Shows snapshots later than `listing_delay` promises."""

    @property
    def listing_delay(self) -> timedelta:
        """Promise too much."""
        return super().listing_delay / 2


class DeletesOnce(memory.MemoryDriver):
    """Fails to delete what is not there."""

    def delete_snapshot(self, snapshot: ids.SnapshotId) -> None:
        """Insist on the snapshot."""
        self.get_snapshot(snapshot)
        super().delete_snapshot(snapshot)


class KeepsDependants(memory.MemoryDriver):
    """Refuses to delete a snapshot that has a newer one."""

    def delete_snapshot(self, snapshot: ids.SnapshotId) -> None:
        """Insist on the order."""
        held = self._snapshots.get(snapshot)
        if held and any(one.taken > held.taken or one.snapshot.id > snapshot for one in self._snapshots.values()):
            raise driver.SnapshotInUse(f"the snapshot {snapshot} has newer ones")
        super().delete_snapshot(snapshot)


class SnapshotsNothing(memory.MemoryDriver):
    """Takes a snapshot of a volume that does not exist."""

    def create_snapshot(self, volume: str, tags: Mapping[str, str], cancel: cancels.CancelToken) -> driver.Snapshot:
        """Make the volume up."""
        self._volumes.setdefault(volume, b"")
        return super().create_snapshot(volume, tags, cancel)


class IgnoresCancel(memory.MemoryDriver):
    """Takes a snapshot that nobody waits for any more."""

    def create_snapshot(self, volume: str, tags: Mapping[str, str], cancel: cancels.CancelToken) -> driver.Snapshot:
        """Use a token of its own."""
        return super().create_snapshot(volume, tags, cancels.CancelToken(self._clock))


class SaysNotImplemented(memory.MemoryDriver):
    """Has a method only to say that it is not there."""

    @contextmanager
    def open_snapshot(self, snapshot: ids.SnapshotId) -> Iterator[driver.BlockReader]:
        """Say no."""
        raise NotImplementedError
        yield


class ReadsTheVolume(memory.MemoryDriver):
    """Reads what the volume holds now."""

    @contextmanager
    def open_snapshot(self, snapshot: ids.SnapshotId) -> Iterator[driver.BlockReader]:
        """Open the volume instead."""
        held = self._find(snapshot)
        held.data = self._volumes[held.snapshot.volume]
        with super().open_snapshot(snapshot) as reader:
            yield reader


class _Wrapped:
    def __init__(self, inner: driver.BlockReader) -> None:
        self._inner = inner

    @property
    def size_bytes(self) -> int:
        return self._inner.size_bytes

    def read_into(self, offset: int, target: memoryview) -> None:
        self._inner.read_into(offset, target)

    def allocated(self) -> Iterator[driver.Extent]:
        return self._inner.allocated()


class _MissesTheTail(_Wrapped):
    def allocated(self) -> Iterator[driver.Extent]:
        return (extent for extent in self._inner.allocated() if extent.length % 4096 == 0)


class _ReadsAligned(_Wrapped):
    def read_into(self, offset: int, target: memoryview) -> None:
        self._inner.read_into(offset - offset % 512, target)


class _Overlaps(_Wrapped):
    def allocated(self) -> Iterator[driver.Extent]:
        for extent in self._inner.allocated():
            yield from (extent, extent)


class _WrapsReader(memory.MemoryDriver):
    wrapper: type[_Wrapped]

    @contextmanager
    def open_snapshot(self, snapshot: ids.SnapshotId) -> Iterator[driver.BlockReader]:
        """Wrap what reads."""
        with super().open_snapshot(snapshot) as reader:
            yield self.wrapper(reader)


class MissesTheTail(_WrapsReader):
    """Does not call the last, partial page allocated."""

    wrapper = _MissesTheTail


class ReadsAligned(_WrapsReader):
    """Reads from the sector before an unaligned offset."""

    wrapper = _ReadsAligned


class YieldsOverlaps(_WrapsReader):
    """Yields the same extent twice."""

    wrapper = _Overlaps


class MissesChange(memory.MemoryDriver):
    """Leaves out the first extent that changed."""

    def changed_extents(self, base: ids.SnapshotId, snapshot: ids.SnapshotId) -> _Changes:
        """Drop one."""
        extents = super().changed_extents(base, snapshot)
        return extents if isinstance(extents, driver.Incomparable) else iter([*extents][1:])


class CallsDataZero(memory.MemoryDriver):
    """Says that an extent holds zeros when it does not."""

    def changed_extents(self, base: ids.SnapshotId, snapshot: ids.SnapshotId) -> _Changes:
        """Call everything zero."""
        extents = super().changed_extents(base, snapshot)
        if isinstance(extents, driver.Incomparable):
            return extents
        return (structs.replace(extent, zero=True) for extent in extents)


class ComparesAnything(memory.MemoryDriver):
    """Calls two snapshots equal that cannot be compared."""

    def changed_extents(self, base: ids.SnapshotId, snapshot: ids.SnapshotId) -> _Changes:
        """Find no difference."""
        extents = super().changed_extents(base, snapshot)
        return iter(()) if isinstance(extents, driver.Incomparable) else extents


class ReadsEverythingAlways(memory.MemoryDriver):
    """Calls the whole volume changed."""

    def changed_extents(self, base: ids.SnapshotId, snapshot: ids.SnapshotId) -> _Changes:
        """Compare nothing."""
        compared = super().changed_extents(base, snapshot)
        if isinstance(compared, driver.Incomparable):
            return compared
        return extents.whole(self.get_snapshot(snapshot).size_bytes)


class SaysNotWhy(memory.MemoryDriver):
    """Keeps to itself why two snapshots cannot be compared."""

    def changed_extents(self, base: ids.SnapshotId, snapshot: ids.SnapshotId) -> _Changes:
        """Drop the reason."""
        compared = super().changed_extents(base, snapshot)
        return driver.Incomparable("") if isinstance(compared, driver.Incomparable) else compared


class ForgetsWhatItReleased(memory.MemoryDriver):
    """Releases more than it may."""

    def release_blocks(self, snapshot: ids.SnapshotId) -> None:
        """Delete it."""
        self.get_snapshot(snapshot)
        self.delete_snapshot(snapshot)


class ReleasesWhatIsNotThere(memory.MemoryDriver):
    """Does not tell a snapshot that is missing from one that was released."""

    def release_blocks(self, snapshot: ids.SnapshotId) -> None:
        """Look at nothing."""
        if snapshot in self._snapshots:
            super().release_blocks(snapshot)


class OverwritesVolumes(memory.MemoryDriver):
    """Replaces a volume that is to be kept."""

    def _refuse(self, volume: str, overwrite: bool) -> None:
        pass


class LooksOnlyAtTheStart(memory.MemoryDriver):
    """Does not look again at the commit."""

    @contextmanager
    def create_volume(
        self, volume: str, size_bytes: int, *, overwrite: bool, token: str = ""
    ) -> Iterator[driver.BlockWriter]:
        """Look, then always overwrite."""
        self._refuse(volume, overwrite)
        with super().create_volume(volume, size_bytes, overwrite=True, token=token) as writer:
            yield writer


class CommitsByItself(memory.MemoryDriver):
    """Makes the volume visible although nobody committed it."""

    @contextmanager
    def create_volume(
        self, volume: str, size_bytes: int, *, overwrite: bool, token: str = ""
    ) -> Iterator[driver.BlockWriter]:
        """Commit at the end."""
        with super().create_volume(volume, size_bytes, overwrite=overwrite, token=token) as writer:
            yield writer
            writer.commit()


class LosesVolumeTokens(memory.MemoryDriver):
    """Cannot tell who made a volume."""

    def made_with(self, volume: str, token: str) -> bool:
        """Know nothing."""
        return False


class TakesAnyVolumeForIts(memory.MemoryDriver):
    """Takes a volume for the one that it was asked to make, because it has the name."""

    def made_with(self, volume: str, token: str) -> bool:
        """Look at the name alone."""
        return volume in self._volumes


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A broken driver, and the test of the suite that must fail on it."""

    driver: type[memory.MemoryDriver]
    test: str


BROKEN = (
    Broken(driver=LeaksOtherErrors, test="test_missing_snapshot_is_reported_as_missing"),
    Broken(driver=LosesTags, test="test_snapshot_describes_itself"),
    Broken(driver=LosesTags, test="test_listing_finds_by_volume_and_tags"),
    Broken(driver=MatchesAnyTag, test="test_listing_finds_by_volume_and_tags"),
    Broken(driver=ListsOtherVolumes, test="test_listing_finds_by_volume_and_tags"),
    Broken(driver=ListsNewestFirst, test="test_listing_finds_by_volume_and_tags"),
    Broken(driver=ListsLaterThanItSays, test="test_listing_finds_by_volume_and_tags"),
    Broken(driver=DeletesOnce, test="test_delete_removes_and_may_be_repeated"),
    Broken(driver=KeepsDependants, test="test_snapshots_are_deleted_in_any_order"),
    Broken(driver=SnapshotsNothing, test="test_snapshot_of_missing_volume_is_refused"),
    Broken(driver=IgnoresCancel, test="test_cancelled_creation_makes_nothing"),
    Broken(driver=SaysNotImplemented, test="test_snapshot_keeps_the_moment"),
    Broken(driver=ReadsTheVolume, test="test_snapshot_keeps_the_moment"),
    Broken(driver=MissesTheTail, test="test_allocated_extents_hold_all_data"),
    Broken(driver=ReadsAligned, test="test_blocks_are_read_at_any_offset"),
    Broken(driver=YieldsOverlaps, test="test_allocated_extents_hold_all_data"),
    Broken(driver=MissesChange, test="test_changed_extents_cover_every_difference"),
    Broken(driver=CallsDataZero, test="test_changed_extents_cover_every_difference"),
    Broken(driver=ComparesAnything, test="test_what_cannot_be_compared_says_why"),
    Broken(driver=ReadsEverythingAlways, test="test_equal_snapshots_differ_in_nothing"),
    Broken(driver=SaysNotWhy, test="test_what_cannot_be_compared_says_why"),
    Broken(driver=ForgetsWhatItReleased, test="test_released_snapshot_is_still_compared_with"),
    Broken(driver=ReleasesWhatIsNotThere, test="test_missing_snapshot_cannot_be_released"),
    Broken(driver=OverwritesVolumes, test="test_existing_volume_is_not_written_over"),
    Broken(driver=LooksOnlyAtTheStart, test="test_volume_that_appears_meanwhile_is_not_written_over"),
    Broken(driver=CommitsByItself, test="test_volume_appears_only_at_the_commit"),
    Broken(driver=LosesVolumeTokens, test="test_volume_is_found_by_its_token"),
    Broken(driver=TakesAnyVolumeForIts, test="test_volume_is_found_by_its_token"),
)
