"""What is known about the snapshots of an image, in a directory beside it, and the lock that guards both.

The snapshots of `/data/disk.qcow2` are described in `/data/.disk.qcow2.snapshots/ID.json`, written when all else of
them exists. What carries the name of a snapshot within the image or the guest and has no such file is a leftover.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
from msgspec import structs

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import files, ids
from runner.registry import driver

NAME = "qcow2"
# A node of QEMU has at most 31 characters for its name.
PREFIX = "blueprint-runner-"
ID_LENGTH = 12
_SUFFIX = ".snapshots"
_FACTS = ".json"
_SCRATCH = ".qcow2"
_PAUSE_S = 0.02
_LONGEST = timedelta(minutes=2)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the file of a snapshot says.

    Attributes:
        snapshot: The snapshot as it was taken.
        live: Whether it is held by the guest that had the image open (copy-before-write), not within the image.
        released: Whether its blocks were given up.
    """

    snapshot: driver.Snapshot
    live: bool = False
    released: bool = False

    @property
    def name(self) -> str:
        """The name of everything that belongs to the snapshot, in the image and in the guest."""
        return name_of(id_of(self.snapshot.id))


def name_of(id: str) -> str:
    """Return the name of everything that belongs to a snapshot."""
    return PREFIX + id


def id_of(snapshot: ids.SnapshotId) -> str:
    """Return the short id at the end of a handle."""
    return snapshot.rpartition("/")[2]


def owner_of(name: str) -> str:
    """Return the name of the snapshot for whose sake something in an image or a guest was made; empty if for none."""
    id = name.removeprefix(PREFIX)[:ID_LENGTH]
    return name_of(id) if name.startswith(PREFIX) and ids.is_id(id) else ""


class Shelf:
    """The directory beside one image.

    Args:
        image: Absolute path of the image.
        clock: The time.
    """

    def __init__(self, image: Path, clock: clocks.Clock) -> None:
        self.image = image
        self.place = image.with_name(f".{image.name}{_SUFFIX}")
        self._clock = clock

    def handle_of(self, id: str) -> ids.SnapshotId:
        """Return the handle of a snapshot."""
        return ids.SnapshotId(f"{NAME}:{self.place}/{id}")

    def scratch_of(self, id: str) -> Path:
        """Return where a guest puts the old content of what it overwrites."""
        return self.place / f"{id}{_SCRATCH}"

    def exists(self) -> bool:
        """Tell whether there is such a directory, which there is while there are snapshots."""
        return self.place.is_dir()

    @contextlib.contextmanager
    def locked(self, cancel: cancels.CancelToken | None = None) -> Iterator[int]:
        """Be the only one who changes snapshots of the image; gives the descriptor that holds the lock.

        The directory is made, and removed again if nothing is in it at the end.

        Raises:
            StorageUnavailable: If somebody else does not give the lock back.
        """
        cancel = cancel or cancels.CancelToken(self._clock)
        deadline = self._clock.monotonic() + _LONGEST.total_seconds()
        while (descriptor := self._try_lock()) is None:
            if self._clock.monotonic() > deadline:
                raise driver.StorageUnavailable(f"somebody else works on the snapshots of {self.image}")
            cancel.wait(_PAUSE_S)
        try:
            yield descriptor
        finally:
            with contextlib.suppress(OSError):  # it holds snapshots
                self.place.rmdir()
            os.close(descriptor)

    def records(self) -> list[Record]:
        """Return what is written down, oldest first."""
        found = []
        names = [path.name for path in self.place.glob(f"*{_FACTS}")] if self.exists() else []
        for name in names:
            with contextlib.suppress(driver.SnapshotMissing):  # it is being deleted
                found.append(self.read(name.removesuffix(_FACTS)))
        return sorted(found, key=lambda one: (one.snapshot.created, one.snapshot.id))

    def read(self, id: str) -> Record:
        """Return what is written down about a snapshot.

        Raises:
            SnapshotMissing: If there is nothing.
            StorageError: If it is damaged.
        """
        path = self._facts_of(id)
        try:
            return _decoded(self.handle_of(id), json.loads(path.read_bytes()))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise absent(self.handle_of(id)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise driver.StorageError(
                f"{path} is damaged", details=str(error), hint=f"remove {path} if nobody needs the snapshot"
            ) from error

    def write(self, record: Record) -> None:
        """Write down a snapshot, durably."""
        facts = {
            "volume": record.snapshot.volume,
            "sizeBytes": record.snapshot.size_bytes,
            "created": clocks.isoformat(record.snapshot.created),
            "tags": dict(record.snapshot.tags),
            "method": record.snapshot.method,
            "live": record.live,
            "released": record.released,
        }
        files.write_atomically(self._facts_of(id_of(record.snapshot.id)), json.dumps(facts, indent=1).encode())

    def remove(self, id: str) -> None:
        """Forget a snapshot, and what a guest has kept for it."""
        self.scratch_of(id).unlink(missing_ok=True)
        self._facts_of(id).unlink(missing_ok=True)
        files.flush_directory(self.place)

    def remove_leftovers(self) -> None:
        """Remove what belongs to no snapshot that is written down."""
        for path in self.place.iterdir():
            scratch = path.suffix == _SCRATCH and not self._facts_of(path.stem).exists()
            if scratch or path.name.endswith(".partial"):
                path.unlink()

    @contextlib.contextmanager
    def reading(self, id: str) -> Iterator[Record]:
        """Keep a snapshot from being deleted, and its blocks from being released.

        Raises:
            SnapshotMissing: If it is gone already.
        """
        with self._facts_opened(id) as descriptor:
            if descriptor is None:
                raise absent(self.handle_of(id))
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield self.read(id)

    @contextlib.contextmanager
    def unread(self, id: str) -> Iterator[None]:
        """Be sure that nobody reads a snapshot.

        Raises:
            SnapshotInUse: If somebody does.
        """
        with self._facts_opened(id) as descriptor:
            if descriptor is not None:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise driver.SnapshotInUse(
                        f"the snapshot {self.handle_of(id)} is being read", hint="delete it after its export has ended"
                    ) from error
            yield

    @contextlib.contextmanager
    def _facts_opened(self, id: str) -> Iterator[int | None]:
        try:
            descriptor = os.open(self._facts_of(id), os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _facts_of(self, id: str) -> Path:
        return self.place / f"{id}{_FACTS}"

    def _try_lock(self) -> int | None:
        files.make_directories(self.place)
        with contextlib.suppress(FileNotFoundError):  # somebody has just removed it as empty
            descriptor = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), self.place.stat()):
                    return descriptor
            os.close(descriptor)
        return None


def named_by(snapshot: ids.SnapshotId, clock: clocks.Clock) -> tuple[Shelf, str] | None:
    """Return where a snapshot is written down; None if this driver makes no such handles, whatever is there."""
    kind, _, text = snapshot.partition(":")
    place = Path(text)
    shelf = place.parent.name
    image = shelf.removeprefix(".").removesuffix(_SUFFIX)
    ours = kind == NAME and place.is_absolute() and image and shelf == f".{image}{_SUFFIX}"
    if not ours or not ids.is_id(place.name):
        return None
    return Shelf(place.parent.with_name(image), clock), place.name


def absent(snapshot: ids.SnapshotId) -> driver.SnapshotMissing:
    """Return what to say of a snapshot that does not exist."""
    return driver.SnapshotMissing(
        f"there is no snapshot {snapshot}", hint="take a new one, or check where the handle comes from"
    )


def released(record: Record) -> Record:
    """Return the record of a snapshot whose blocks were given up."""
    return structs.replace(record, released=True)


def _decoded(handle: ids.SnapshotId, facts: dict[str, object]) -> Record:
    tags = facts["tags"]
    if not isinstance(tags, dict):
        raise TypeError("tags are no object")
    snapshot = driver.Snapshot(
        id=handle,
        volume=str(facts["volume"]),
        size_bytes=int(str(facts["sizeBytes"])),
        created=clocks.parse_isoformat(str(facts["created"])),
        state=driver.SnapshotState.READY,
        tags=tags,
        method=str(facts["method"]),
    )
    return Record(snapshot=snapshot, live=bool(facts["live"]), released=bool(facts["released"]))
