"""Snapshots of raw images and directories of this machine; no account, no daemon, no state but what lies beside them.

An image is copied by reflink, which takes a moment and shares the blocks; where the file system cannot do that, its
data is copied, and an image that is written to meanwhile is refused. Snapshots of directories are copied file by
file: they are not of one moment, have no blocks, and are read by path. A block device has no snapshots here; it can be
read and written while nobody else uses it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import files, ids, own_places, temporary
from runner.registry import driver, estimates
from runner.storage import failures, leftovers, new_file
from runner.storage.file import at_rest, comparing, copying, device, foreseeing, image, layout

# Another process may remove the empty directory of snapshots again before this one has put something there.
_ATTEMPTS = 5


class FileDriver:
    """Volumes are paths of images or directories.

    Args:
        clock: Tells when a snapshot was taken.
        random: Draws the names of snapshots.
        own: What snapshots of directories are without.
        space: Where copies that share nothing with their volume take what they need.
    """

    name = layout.NAME
    listing_delay = timedelta(0)

    def __init__(
        self,
        *,
        clock: clocks.Clock | None = None,
        random: ids.RandomBytes = ids.random_bytes,
        own: own_places.OwnPlaces | None = None,
        space: temporary.TemporarySpace | None = None,
    ) -> None:
        self._clock = clock or clocks.SystemClock()
        self._random = random
        self._own = own or own_places.OwnPlaces()
        self._space = space or temporary.TemporarySpace()

    def making_copies(self, *, leaving_out: own_places.OwnPlaces, within: temporary.TemporarySpace) -> FileDriver:
        """Return a driver that leaves these directories out, and copies only what there is space for."""
        return FileDriver(clock=self._clock, random=self._random, own=leaving_out, space=within)

    def create_snapshot(self, volume: str, tags: Mapping[str, str], cancel: cancels.CancelToken) -> driver.Snapshot:
        """Copy a volume beside itself; the snapshot appears when it is complete and durable."""
        cancel.raise_if_cancelled()
        with failures.translated(volume):
            source = self._existing(volume)
            shelf = layout.shelf_of(volume)
            leftovers.sweep(shelf, "", self._clock.now())
            staging = _make_temporary(shelf)
            space = self._space.share(f"the snapshot of {volume}")
            try:
                created = self._clock.now()
                method, size = _copy(source, staging / layout.DATA, self._own, cancel, space)
                layout.write_facts(staging, volume=volume, size_bytes=size, created=created, tags=tags, method=method)
                place = shelf / ids.base32(self._random(10), 16)
                # Never replaces a snapshot: a directory that is not empty cannot be renamed over.
                staging.rename(place)
            except BaseException:
                leftovers.remove(staging)
                space.give_back()
                _remove_empty(shelf)
                raise
            files.flush_directory(shelf)
            return layout.describe(place)

    def get_snapshot(self, snapshot: ids.SnapshotId) -> driver.Snapshot:
        """Describe a snapshot."""
        with failures.translated(snapshot):
            return layout.describe(layout.place_of(snapshot))

    def list_snapshots(self, volume: str, tags: Mapping[str, str]) -> list[driver.Snapshot]:
        """Return the snapshots of a volume with these tags, oldest first."""
        shelf = layout.shelf_of(volume)
        found = []
        with failures.translated(shelf):
            leftovers.sweep(shelf, "", self._clock.now())
            names = [entry.name for entry in shelf.iterdir()] if shelf.is_dir() else []
            for name in names:
                with contextlib.suppress(driver.SnapshotMissing):
                    found.append(self.get_snapshot(layout.id_of(shelf / name)))
        chosen = [one for one in found if tags.items() <= one.tags.items()]
        return sorted(chosen, key=lambda one: (one.created, one.id))

    def delete_snapshot(self, snapshot: ids.SnapshotId) -> None:
        """Delete a snapshot; it vanishes at once, and who reads it may read on."""
        place = layout.named_by(snapshot)
        if place is None:
            return
        with failures.translated(snapshot):
            _remove(place)
            leftovers.sweep(place.parent, "", self._clock.now())
            _remove_empty(place.parent)

    @contextmanager
    def open_snapshot(self, snapshot: ids.SnapshotId) -> Iterator[driver.BlockReader]:
        """Open the snapshot of an image for reading."""
        with image.opened(self.get_snapshot(snapshot)) as descriptor:
            yield image.Reader(descriptor)

    def changed_extents(
        self, base: ids.SnapshotId, snapshot: ids.SnapshotId
    ) -> Iterator[driver.Extent] | driver.Incomparable:
        """Compare two snapshots of one image, reading only what holds data in either."""
        with failures.translated(snapshot):
            new = layout.describe(layout.place_of(snapshot))
            try:
                old = layout.describe(layout.place_of(base))
            except driver.SnapshotMissing:
                return driver.Incomparable(f"the snapshot {base} is gone")
        if Path(old.path).parent.parent != Path(new.path).parent.parent:
            return driver.Incomparable(f"{base} is a snapshot of another volume")
        if Path(new.path).is_dir() or Path(old.path).is_dir():
            return driver.Incomparable("directories have no blocks")
        if old.size_bytes > new.size_bytes:
            return driver.Incomparable("the volume has shrunk")
        return _compare(old, new)

    def foresee_changes(self, volume: str) -> estimates.Way | None:
        """Tell what the next snapshot of an image would be compared with, and what both share on the disk."""
        with failures.translated(volume):
            return foreseeing.foresee(layout.volume_path(volume), layout.shelf_of(volume))

    def create_volume(
        self, volume: str, size_bytes: int, *, overwrite: bool, token: str = ""
    ) -> AbstractContextManager[driver.BlockWriter]:
        """Start a new image beside its final name; the token becomes an extended attribute of it."""
        return image.created(volume, size_bytes, self._clock.now(), overwrite=overwrite, token=token)

    def open_volume(self, volume: str) -> AbstractContextManager[at_rest.Resting]:
        """Open a block device or an image itself."""
        return at_rest.opened(volume)

    def update_volume(self, volume: str, size_bytes: int) -> AbstractContextManager[at_rest.Updater]:
        """Open a block device or an image for bringing it to another content in place."""
        return at_rest.updated(volume, size_bytes)

    def made_with(self, volume: str, token: str) -> bool:
        """Tell whether an image carries this token; False where the file system has no extended attributes."""
        return new_file.made_with(layout.volume_path(volume), token, self._clock.now())

    def _existing(self, volume: str) -> Path:
        path = layout.volume_path(volume)
        if not path.exists():
            raise driver.VolumeMissing(f"there is no volume {volume}", hint="check the path of the image or directory")
        if device.is_device(path):
            raise driver.StorageError(
                f"{volume} is a block device, of which this machine can take no snapshot",
                code="RT306",
                hint="stop what writes to it, and export it with ExportVolume; or use the driver of its storage",
            )
        if path == path.parent or not (path.is_dir() or path.is_file()):
            raise driver.StorageError(
                f"{volume} is neither an image nor a directory that can be copied beside itself", code="RT306"
            )
        if path.is_dir() and self._own.holds(path):
            raise driver.StorageError(
                f"{volume} belongs to the runner itself, so a backup of it would hold itself",
                code="RT316",
                hint="name the directory of the application",
            )
        return path


def _make_temporary(shelf: Path) -> Path:
    for _ in range(_ATTEMPTS):
        files.make_directories(shelf)
        staging = shelf / files.temporary_name()
        with contextlib.suppress(FileNotFoundError):
            staging.mkdir(0o700)
            return staging
    raise driver.StorageUnavailable(f"{shelf} is removed again and again")


def _copy(
    source: Path, target: Path, own: own_places.OwnPlaces, cancel: cancels.CancelToken, space: temporary.Share
) -> tuple[str, int]:
    if source.is_file():
        return copying.copy_image(source, target, cancel, space), target.stat().st_size
    try:
        method = copying.copy_tree(source, target, own, cancel, space)
    except FileNotFoundError as error:
        raise driver.StorageUnavailable(f"{error.filename} vanished while {source} was copied") from error
    facts = (Path(parent, name).lstat() for parent, _, names in os.walk(target) for name in names)
    return method, sum(one.st_size for one in facts if stat.S_ISREG(one.st_mode))


def _remove(place: Path) -> None:
    if not (place / layout.FACTS).is_file():
        return
    staging = place.with_name(files.temporary_name())
    with contextlib.suppress(FileNotFoundError):  # somebody else was faster
        place.rename(staging)
        files.flush_directory(place.parent)
        leftovers.remove(staging)


def _compare(old: driver.Snapshot, new: driver.Snapshot) -> Iterator[driver.Extent]:
    with image.opened(old) as before, image.opened(new) as after, failures.translated(new.id):
        yield from comparing.differences(before, old.size_bytes, after, new.size_bytes)


def _remove_empty(shelf: Path) -> None:
    with contextlib.suppress(OSError):  # it holds other snapshots, or is gone already
        shelf.rmdir()
