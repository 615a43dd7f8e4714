"""How the inside of an image is looked at and changed, whoever has it open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

# Changes are tracked in pieces of this size, that of a cluster and of the chunks of an export.
GRAIN = 1 << 16


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What is in an image.

    Attributes:
        size_bytes: Size of the volume.
        snapshots: Names of the snapshots within.
        bitmaps: Names of the dirty bitmaps; each with what is wrong with it, usually nothing.
        tracks: Whether the format of the image can hold dirty bitmaps.
        ours: Names of everything that this driver has made, in the image and in the guest.
        held: Names of the snapshots that the guest holds.
    """

    size_bytes: int
    snapshots: frozenset[str]
    bitmaps: Mapping[str, str]
    tracks: bool
    ours: frozenset[str]
    held: frozenset[str] = frozenset()


class Access(Protocol):
    """Changes the inside of one image."""

    @property
    def method(self) -> str:
        """How snapshots are taken, for people."""

    @property
    def live(self) -> bool:
        """Whether a guest has the image open."""

    def look(self) -> Contents:
        """Say what is in it.

        Raises:
            StorageError: If it is no qcow2 image.
        """

    def recorded(self, bitmap: str) -> int:
        """Return how many bytes a dirty bitmap has recorded by now, at most; without reading them."""

    def take(self, name: str, scratch: Path) -> None:
        """Take a snapshot of this name.

        Args:
            name: Name of everything that is made.
            scratch: Where old content is put while a guest overwrites it.
        """

    def drop(self, name: str) -> None:
        """Remove everything of this name; nothing there is fine.

        Raises:
            StorageUnavailable: If somebody else has the image open.
        """

    def drop_blocks(self, name: str) -> None:
        """Remove everything of this name but the bitmap that records changes, where that saves something."""
