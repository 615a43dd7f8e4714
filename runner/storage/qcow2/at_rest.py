"""Snapshots of images that no guest has open: within the image, which stays at its path and usable all the time.

Beside the snapshot goes a dirty bitmap, in which every later user of the image records what it writes. It is made
before the snapshot: what is written in between is then recorded although it need not be, never the other way round.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.nbd import wire
from runner.registry import driver, extents
from runner.storage.qcow2 import access, programs, reading, shelf


class AtRest:
    """Works on an image with `qemu-img`, which ends by itself and holds the lock until then.

    Args:
        image: Its path.
        lock: The descriptor that holds the lock of its shelf; None for who only looks.
    """

    method = "internal snapshot"
    live = False

    def __init__(self, image: Path, lock: int | None) -> None:
        self._image = image
        self._lock = lock

    def look(self) -> access.Contents:
        """Say what is in it."""
        return look(self._image)

    def recorded(self, bitmap: str) -> int:
        """Count what a bitmap has recorded and what does not read as zeros."""
        context = f"qemu:dirty-bitmap:{bitmap}"
        with served(self._image, f"--bitmap={bitmap}", contexts=(context, reading.ALLOCATION)) as pool:
            changed = pool.flagged(context, having=wire.DIRTY)
            data = pool.flagged(reading.ALLOCATION, lacking=wire.Allocation.ZERO)
            return sum(extent.length for extent in extents.zero_outside(changed, data) if not extent.zero)

    def take(self, name: str, scratch: Path) -> None:
        """Make a snapshot, durably, and the bitmap if the image can have one; nothing is kept outside the image."""
        if self.look().tracks:
            self._run("bitmap", "--add", "-g", str(access.GRAIN), self._node, name)
        self._run("snapshot", "-q", "-c", name, self._node)
        descriptor = os.open(self._image, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def drop(self, name: str) -> None:
        """Remove a snapshot and its bitmap."""
        if not self._image.exists():
            return
        contents = self.look()
        if name in contents.snapshots:
            self._run("snapshot", "-q", "-d", name, self._node)
        if name in contents.bitmaps:
            self._run("bitmap", "--remove", self._node, name)

    def drop_blocks(self, name: str) -> None:
        """Do nothing: the snapshot shares its blocks with the image, and tells later what was allocated."""

    @property
    def _node(self) -> str:
        return programs.node(self._image)

    def _run(self, *arguments: str) -> None:
        programs.qemu_img(*arguments, subject=self._image, lock=self._lock)


def look(image: Path, *, shared: bool = True) -> access.Contents:
    """Say what is in an image.

    Args:
        image: Its path.
        shared: Whether somebody may have it open.

    Raises:
        StorageError: If it is no qcow2 image.
        StorageUnavailable: If it is in use although it may not.
    """
    force = ("--force-share",) if shared else ()
    printed = programs.qemu_img("info", *force, "--output=json", programs.node(image), subject=image)
    info: dict[str, Any] = json.loads(printed)
    details = info["format-specific"]["data"]
    snapshots = frozenset(one["name"] for one in info.get("snapshots", ()))
    bitmaps = {one["name"]: _wrong(one["flags"]) for one in details.get("bitmaps", ())}
    return access.Contents(
        size_bytes=info["virtual-size"],
        snapshots=snapshots,
        bitmaps=bitmaps,
        tracks=details["compat"] != "0.10",
        ours=frozenset(filter(None, map(shelf.owner_of, snapshots | bitmaps.keys()))),
    )


def _wrong(flags: list[str]) -> str:
    if "in-use" in flags:
        return "is in use by a running guest, or by one that ended without writing it back"
    return "" if "auto" in flags else "does not record changes"


@contextlib.contextmanager
def served(image: Path, *options: str, contexts: tuple[str, ...]) -> Iterator[reading.Pool]:
    """Serve an image or what is in it for reading, also while a guest has it open.

    A snapshot within an image does not change, whatever the guest does; so do not its tables.
    """
    described = programs.node(image, **{"force-share": True})
    with programs.serving(
        described, "--read-only", *options, subject=image, connections=reading.CONNECTIONS
    ) as sockets:
        pool = reading.Pool(sockets, "", contexts)
        try:
            yield pool
        finally:
            pool.close()


@contextlib.contextmanager
def opened(image: Path, record: shelf.Record) -> Iterator[reading.Reader]:
    """Open a snapshot within an image."""
    with served(image, f"--load-snapshot={record.name}", contexts=(reading.ALLOCATION,)) as pool:
        yield reading.Reader(pool, record.snapshot.size_bytes, live=False)


@contextlib.contextmanager
def dirty(image: Path, name: str) -> Iterator[Iterator[driver.Extent]]:
    """Open what a bitmap has recorded."""
    context = f"qemu:dirty-bitmap:{name}"
    with served(image, f"--bitmap={name}", contexts=(context,)) as pool:
        yield pool.flagged(context, having=wire.DIRTY)
