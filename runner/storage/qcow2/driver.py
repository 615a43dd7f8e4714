"""Snapshots and changed blocks of qcow2 images, without root, kernel modules or an account.

A volume is the path of an image that no guest has open, or the disk of a running guest, named by its QMP socket. In
either case a dirty bitmap in the image records what is written after a snapshot, and tells what changed. The blocks of
a snapshot lie within the image, or are held by the guest, and are read over NBD.
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
from runner.registry import driver, estimates, extents
from runner.storage import failures, new_file
from runner.storage.qcow2 import access, at_rest, comparing, live, programs, qmp, reading, shelf, writing


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
        """Take a snapshot within the image, or let the guest hold the moment."""
        cancel.raise_if_cancelled()
        with failures.translated(volume):
            guest = live.named_by(volume)
            place = self._shelf(_existing(volume) if guest is None else self._image_of(guest))
            with place.locked(cancel) as lock, self._inside(place, lock, guest) as inside:
                if inside.live and guest is None:
                    raise programs.in_use(place.image)
                _tidy(place, inside)
                contents = inside.look()
                id = ids.base32(self._random(8), shelf.ID_LENGTH)
                taken = driver.Snapshot(
                    id=place.handle_of(id),
                    volume=volume,
                    size_bytes=contents.size_bytes,
                    created=self._clock.now(),
                    state=driver.SnapshotState.READY,
                    tags=dict(tags),
                    method=f"{inside.method}, {'' if contents.tracks else 'no '}dirty bitmap",
                )
                record = shelf.Record(snapshot=taken, live=inside.live)
                try:
                    inside.take(record.name, place.scratch_of(id))
                    place.write(record)
                except BaseException:
                    inside.drop(record.name)
                    place.remove(id)
                    raise
                return taken

    def get_snapshot(self, snapshot: ids.SnapshotId) -> driver.Snapshot:
        """Describe a snapshot."""
        with failures.translated(snapshot):
            return self._found(snapshot)[1].snapshot

    def list_snapshots(self, volume: str, tags: Mapping[str, str]) -> list[driver.Snapshot]:
        """Return the snapshots of an image with these tags, oldest first."""
        with failures.translated(volume):
            guest = live.named_by(volume)
            try:
                place = self._shelf(_path_of(volume) if guest is None else self._image_of(guest))
                if not place.exists():
                    return []
                # A guest may hold what nobody has written down yet, so the one that is named is asked in any case.
                with place.locked() as lock, self._inside(place, lock, guest) as inside:
                    _tidy(place, inside)
                    return [one.snapshot for one in place.records() if tags.items() <= one.snapshot.tags.items()]
            except (driver.VolumeMissing, qmp.NobodyThere):  # the guest has ended, and what it held with it
                return []

    def delete_snapshot(self, snapshot: ids.SnapshotId) -> None:
        """Delete a snapshot, unless somebody reads it."""
        named = shelf.named_by(snapshot, self._clock)
        if named is None or not named[0].exists():
            return
        place, id = named
        with (
            failures.translated(snapshot),
            place.locked() as lock,
            place.unread(id),
            self._inside(place, lock) as inside,
        ):
            inside.drop(shelf.name_of(id))
            place.remove(id)
            _tidy(place, inside)

    def release_blocks(self, snapshot: ids.SnapshotId) -> None:
        """Let a guest copy no more for a snapshot; what lies within an image costs nothing, and stays."""
        with failures.translated(snapshot):
            place, record = self._found(snapshot)
            if not record.live:
                return
            id = shelf.id_of(snapshot)
            with place.locked() as lock, place.unread(id), self._inside(place, lock) as inside:
                # Written down first: a snapshot whose blocks are gone, and that does not say so, counts as gone.
                place.write(shelf.released(place.read(id)))
                _give_up_blocks(place, inside, record)

    @contextlib.contextmanager
    def open_snapshot(self, snapshot: ids.SnapshotId) -> Iterator[driver.BlockReader]:
        """Open a snapshot for reading."""
        with failures.translated(snapshot):
            place, _ = self._found(snapshot)
        with place.reading(shelf.id_of(snapshot)) as record:
            if record.released:
                raise driver.StorageError(f"the blocks of {snapshot} were released", hint="take a new snapshot")
            with _opened(place, record) as reader:
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
            wrong = comparing.obstacle(old, new.snapshot.size_bytes, self._contents(place))
            if wrong:
                return driver.Incomparable(wrong)
        return self._changed(place, old, new)

    def foresee_changes(self, volume: str) -> estimates.Way | None:
        """Tell which bitmap the next snapshot would go by, and how much that has recorded by now."""
        with failures.translated(volume):
            guest = live.named_by(volume)
            if guest is None and not _path_of(volume).exists():
                return None
            place = self._shelf(_existing(volume) if guest is None else self._image_of(guest))
            with self._inside(place, None, guest) as inside:
                return comparing.foresee(inside, place.records())

    def create_volume(
        self, volume: str, size_bytes: int, *, overwrite: bool, token: str = ""
    ) -> AbstractContextManager[driver.BlockWriter]:
        """Start a new image beside its final name; the token becomes an extended attribute of it."""
        if live.named_by(volume) is not None:
            raise driver.StorageError(
                f"{volume} is the disk of a running guest, which cannot be replaced",
                code="RT306",
                hint="restore to the path of an image, and start the guest with it",
            )
        return writing.created(_path_of(volume), size_bytes, self._clock.now(), overwrite=overwrite, token=token)

    def made_with(self, volume: str, token: str) -> bool:
        """Tell whether an image carries this token; False where the file system has no extended attributes."""
        return new_file.made_with(_path_of(volume), token, self._clock.now())

    def _shelf(self, image: Path) -> shelf.Shelf:
        return shelf.Shelf(image, self._clock)

    def _image_of(self, guest: live.Guest) -> Path:
        with live.attached(guest, self._clock) as inside:
            return inside.image

    def _found(self, snapshot: ids.SnapshotId) -> tuple[shelf.Shelf, shelf.Record]:
        """Return where a snapshot is and what is written down about it.

        Raises:
            SnapshotMissing: If it is not written down, or not there any more.
        """
        named = shelf.named_by(snapshot, self._clock)
        if named is None:
            raise shelf.absent(snapshot)
        place, id = named
        record = place.read(id)
        if not place.image.exists() or not comparing.is_there(record, self._contents(place)):
            raise shelf.absent(snapshot)
        return place, record

    def _contents(self, place: shelf.Shelf) -> access.Contents:
        with self._inside(place, None) as inside:
            return inside.look()

    @contextlib.contextmanager
    def _inside(self, place: shelf.Shelf, lock: int | None, guest: live.Guest | None = None) -> Iterator[access.Access]:
        """Give access to an image, through the guest that has it open, if one is known.

        Args:
            place: Where the image is.
            lock: The descriptor that holds its lock.
            guest: The guest that must have it open; otherwise those that are written down are asked.
        """
        asked = [guest] if guest is not None else _guests(place)
        for one in asked:
            with contextlib.ExitStack() as stack:
                try:
                    inside = stack.enter_context(live.attached(one, self._clock))
                    theirs = inside.image == place.image
                except (driver.VolumeMissing, qmp.NobodyThere):
                    if guest is not None:
                        raise
                    continue
                if theirs:
                    yield inside
                    return
        yield at_rest.AtRest(place.image, lock)

    def _changed(self, place: shelf.Shelf, old: shelf.Record, new: shelf.Record) -> Iterator[driver.Extent]:
        """Yield what was written since the base, also after the snapshot, and what was lost when the volume shrank.

        A bitmap forgets what lies beyond the end of a volume that shrinks, even if it grows again. What the base had
        allocated and the new snapshot has not is therefore among the changes, where the base can still be asked.
        """
        with contextlib.ExitStack() as stack:
            for record in (old, new):
                stack.enter_context(place.reading(shelf.id_of(record.snapshot.id)))
            after = stack.enter_context(_opened(place, new))
            guest = live.named_by(new.snapshot.volume)
            changed = stack.enter_context(
                at_rest.dirty(place.image, old.name)
                if guest is None
                else live.dirty(guest, old.name, new.name, self._clock, self._random)
            )
            if not old.released:
                before = stack.enter_context(_opened(place, old))
                changed = extents.union(changed, extents.without(before.allocated(), after.allocated()))
            marked = extents.zero_outside(changed, after.allocated())
            yield from extents.clipped(marked, 0, new.snapshot.size_bytes)


def _path_of(volume: str) -> Path:
    return Path(volume).resolve()


def _existing(volume: str) -> Path:
    path = _path_of(volume)
    if not path.exists():
        raise driver.VolumeMissing(f"there is no volume {volume}", hint="check the path of the image")
    if not path.is_file():
        raise driver.StorageError(f"{volume} is no qcow2 image", code="RT306", hint="name the file of an image")
    return path


def _guests(place: shelf.Shelf) -> list[live.Guest]:
    volumes = {record.snapshot.volume for record in place.records() if record.live}
    return [guest for guest in map(live.named_by, sorted(volumes)) if guest is not None]


def _opened(place: shelf.Shelf, record: shelf.Record) -> AbstractContextManager[reading.Reader]:
    guest = live.named_by(record.snapshot.volume)
    return at_rest.opened(place.image, record) if guest is None else live.opened(guest, record)


def _tidy(place: shelf.Shelf, inside: access.Access) -> None:
    """Make what is written down and what there is the same, after a crash, or when an image or a guest was replaced."""
    place.remove_leftovers()
    records = place.records()
    if not place.image.exists():
        for record in records:
            place.remove(shelf.id_of(record.snapshot.id))
        return
    contents = inside.look()
    with contextlib.suppress(driver.StorageUnavailable, driver.SnapshotInUse):  # of a guest's; next time, then
        for name in contents.ours - {record.name for record in records}:
            inside.drop(name)
        for record in records:
            if not comparing.is_there(record, contents):
                inside.drop(record.name)
                place.remove(shelf.id_of(record.snapshot.id))
            elif record.released:
                _give_up_blocks(place, inside, record)


def _give_up_blocks(place: shelf.Shelf, inside: access.Access, record: shelf.Record) -> None:
    inside.drop_blocks(record.name)
    place.scratch_of(shelf.id_of(record.snapshot.id)).unlink(missing_ok=True)
