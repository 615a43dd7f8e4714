"""Snapshots and changed blocks of qcow2 images, without root, kernel modules or an account.

A volume is the path of an image that no guest has open. Its snapshots lie within the image; a dirty bitmap beside each
records what is written afterwards, and tells what changed. Blocks are read over NBD from a server that ends with the
runner.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import ids
from runner.registry import driver, extents
from runner.storage import failures, new_file
from runner.storage.qcow2 import access, at_rest, shelf, writing


class Qcow2Driver:
    """Volumes are qcow2 images.

    Args:
        clock: Tells when a snapshot was taken.
        random: Draws the names of snapshots.
    """

    name = shelf.NAME
    listing_delay = timedelta(0)

    def __init__(self, *, clock: clocks.Clock | None = None, random: ids.RandomBytes = ids.random_bytes) -> None:
        self._clock = clock or clocks.SystemClock()
        self._random = random

    def create_snapshot(self, volume: str, tags: Mapping[str, str], cancel: cancels.CancelToken) -> driver.Snapshot:
        """Take a snapshot within the image."""
        cancel.raise_if_cancelled()
        with failures.translated(volume):
            image = _existing(volume)
            place = shelf.Shelf(image, self._clock)
            with place.locked(cancel) as lock:
                inside = at_rest.AtRest(image, lock)
                _tidy(place, inside)
                contents = inside.look()
                id = ids.base32(self._random(8), shelf.ID_LENGTH)
                record = shelf.Record(
                    snapshot=driver.Snapshot(
                        id=place.handle_of(id),
                        volume=volume,
                        size_bytes=contents.size_bytes,
                        created=self._clock.now(),
                        state=driver.SnapshotState.READY,
                        tags=dict(tags),
                        method="internal snapshot" + (" and dirty bitmap" if contents.tracks else ""),
                    )
                )
                try:
                    inside.take(record.name)
                    place.write(record)
                except BaseException:
                    inside.drop(record.name)
                    raise
                return record.snapshot

    def get_snapshot(self, snapshot: ids.SnapshotId) -> driver.Snapshot:
        """Describe a snapshot."""
        with failures.translated(snapshot):
            return self._found(snapshot)[1].snapshot

    def list_snapshots(self, volume: str, tags: Mapping[str, str]) -> list[driver.Snapshot]:
        """Return the snapshots of an image with these tags, oldest first."""
        with failures.translated(volume):
            place = shelf.Shelf(_path_of(volume), self._clock)
            if not place.place.is_dir():
                return []
            with place.locked() as lock:
                _tidy(place, at_rest.AtRest(place.image, lock))
                return [one.snapshot for one in place.records() if tags.items() <= one.snapshot.tags.items()]

    def delete_snapshot(self, snapshot: ids.SnapshotId) -> None:
        """Delete a snapshot, unless somebody reads it."""
        named = shelf.named_by(snapshot, self._clock)
        if named is None:
            return
        place, id = named
        with failures.translated(snapshot):
            if not place.place.is_dir():
                return
            with place.locked() as lock, place.unread(id):
                inside = at_rest.AtRest(place.image, lock)
                inside.drop(shelf.name_of(id))
                place.remove(id)
                _tidy(place, inside)

    @contextlib.contextmanager
    def open_snapshot(self, snapshot: ids.SnapshotId) -> Iterator[driver.BlockReader]:
        """Open a snapshot for reading."""
        with failures.translated(snapshot):
            place, record = self._found(snapshot)
        with place.reading(shelf.id_of(snapshot)), at_rest.opened(place.image, record) as reader:
            yield reader

    def changed_extents(
        self, base: ids.SnapshotId, snapshot: ids.SnapshotId
    ) -> Iterator[driver.Extent] | driver.Incomparable:
        """Yield what the bitmap of the base has recorded, unless it cannot be relied on."""
        with failures.translated(snapshot):
            place, new = self._found(snapshot)
            try:
                old_place, old = self._found(base)
            except driver.SnapshotMissing:
                return driver.Incomparable(f"the snapshot {base} is gone")
            if old_place.image != place.image:
                return driver.Incomparable(f"{base} is a snapshot of another volume")
            if old.snapshot.size_bytes > new.snapshot.size_bytes:
                return driver.Incomparable("the volume has shrunk")
            contents = at_rest.look(place.image)
            wrong = contents.bitmaps.get(old.name, "is gone")
            if wrong:
                return driver.Incomparable(f"the dirty bitmap of {base} {wrong}")
        return _changed(place, old, new)

    def create_volume(
        self, volume: str, size_bytes: int, *, overwrite: bool, token: str = ""
    ) -> AbstractContextManager[driver.BlockWriter]:
        """Start a new image beside its final name; the token becomes an extended attribute of it."""
        return writing.created(_path_of(volume), size_bytes, self._clock.now(), overwrite=overwrite, token=token)

    def made_with(self, volume: str, token: str) -> bool:
        """Tell whether an image carries this token; False where the file system has no extended attributes."""
        return new_file.made_with(_path_of(volume), token, self._clock.now())

    def _found(self, snapshot: ids.SnapshotId) -> tuple[shelf.Shelf, shelf.Record]:
        """Return where a snapshot is and what is written down about it.

        Raises:
            SnapshotMissing: If it is not written down, or not in the image any more.
        """
        named = shelf.named_by(snapshot, self._clock)
        if named is None:
            raise shelf.absent(snapshot)
        place, id = named
        record = place.read(id)
        if not place.image.exists() or record.name not in at_rest.look(place.image).snapshots:
            raise shelf.absent(snapshot)
        return place, record


def _path_of(volume: str) -> Path:
    return Path(volume).resolve()


def _existing(volume: str) -> Path:
    path = _path_of(volume)
    if not path.exists():
        raise driver.VolumeMissing(f"there is no volume {volume}", hint="check the path of the image")
    if not path.is_file():
        raise driver.StorageError(f"{volume} is no qcow2 image", code="RT306", hint="name the file of an image")
    return path


def _tidy(place: shelf.Shelf, inside: access.Access) -> None:
    """Make what is written down and what there is the same, after a crash, or when the image was replaced."""
    place.remove_leftovers()
    records = {record.name: shelf.id_of(record.snapshot.id) for record in place.records()}
    if not place.image.exists():
        for id in records.values():
            place.remove(id)
        return
    contents = inside.look()
    with contextlib.suppress(driver.StorageUnavailable):  # a guest has the image open; next time, then
        for name in contents.ours - records.keys():
            inside.drop(name)
        for name in records.keys() - contents.snapshots:
            inside.drop(name)
            place.remove(records[name])


def _changed(place: shelf.Shelf, old: shelf.Record, new: shelf.Record) -> Iterator[driver.Extent]:
    """Yield what was written since the base, also after the snapshot, and what was lost when the volume shrank.

    A bitmap forgets what lies beyond the end of a volume that shrinks, even if it grows again. What the base had
    allocated and the new snapshot has not is therefore among the changes.
    """
    with contextlib.ExitStack() as stack:
        for record in (old, new):
            stack.enter_context(place.reading(shelf.id_of(record.snapshot.id)))
        before, after = (stack.enter_context(at_rest.opened(place.image, record)) for record in (old, new))
        dirty = stack.enter_context(at_rest.dirty(place.image, old.name))
        lost = extents.without(before.allocated(), after.allocated())
        changed = extents.zero_outside(extents.union(dirty, lost), after.allocated())
        yield from extents.clipped(changed, 0, new.snapshot.size_bytes)
