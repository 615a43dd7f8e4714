"""What the contract suite of drivers needs to know about one driver: `Bench`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import cast

import msgspec
import pytest

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import ids
from runner.registry import driver as contract

_MOST_POLLS = 120

# Data, a hole, an odd end: 1 MiB and 1,001 bytes.
IMAGE = b"begin" * 20_000 + bytes((1 << 20) - 200_000) + b"end" * 33_667


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """A driver under test, and how the suite gets at the volumes it works on.

    Attributes:
        name_of: Returns what a blueprint would write for a volume of this short name; nothing is made.
        write: Makes a volume with this content, or replaces its content, as an application would.
        read: Returns what is in a volume.
        claims: What the driver is said to be able to do.
        clock: Passes while the suite waits for a snapshot or a listing.
        grain: The storage has only volumes whose size is a multiple of this.
    """

    driver: contract.SnapshotDriver
    name_of: Callable[[str], str]
    write: Callable[[str, bytes], None]
    read: Callable[[str], bytes]
    claims: frozenset[contract.Capability]
    clock: clocks.Clock
    grain: int = 1

    def padded(self, data: bytes) -> bytes:
        """Fill up with zeros to a size that a volume can have."""
        return data + bytes(-len(data) % self.grain)

    @property
    def image(self) -> bytes:
        """What most tests write into a volume."""
        return self.padded(IMAGE)

    def wait(self, delay: timedelta) -> None:
        """Let time pass."""
        if delay:
            self.clock.wait(threading.Event(), delay.total_seconds())

    def snapshot(self, volume: str, **tags: str) -> contract.Snapshot:
        """Take a snapshot and wait until it is ready."""
        taken = self.driver.create_snapshot(volume, tags, cancels.CancelToken(self.clock))
        for _ in range(_MOST_POLLS):
            if taken.state is not contract.SnapshotState.PENDING:
                break
            self.wait(timedelta(seconds=1))
            taken = self.driver.get_snapshot(taken.id)
        assert taken.state is contract.SnapshotState.READY
        return taken

    def listed(self, volume: str, **tags: str) -> list[contract.Snapshot]:
        """List the snapshots of a volume after the listing delay."""
        self.wait(self.driver.listing_delay)
        return self.driver.list_snapshots(volume, tags)

    def needs(self, capability: contract.Capability) -> None:
        """Skip the test if the driver does not claim a capability."""
        if capability not in self.claims:
            pytest.skip(f"the driver does not claim {capability}")

    @contextmanager
    def opened(self, snapshot: ids.SnapshotId) -> Iterator[contract.BlockReader]:
        """Open a snapshot for reading."""
        with cast(contract.ReadBlocks, self.driver).open_snapshot(snapshot) as reader:
            yield reader

    def content(self, snapshot: ids.SnapshotId) -> bytes:
        """Read a snapshot through its allocated extents alone, as an export does; the rest is zero."""
        with self.opened(snapshot) as reader:
            data = bytearray(reader.size_bytes)
            for extent in checked(reader.allocated(), reader.size_bytes):
                reader.read_into(extent.offset, memoryview(data)[extent.offset : extent.end])
            return bytes(data)

    def changed(self, base: ids.SnapshotId, snapshot: ids.SnapshotId) -> list[contract.Extent] | contract.Incomparable:
        """Compare two snapshots."""
        extents = cast(contract.ChangedBlocks, self.driver).changed_extents(base, snapshot)
        return extents if isinstance(extents, contract.Incomparable) else list(extents)


def checked(extents: Iterator[contract.Extent], size: int) -> Iterator[contract.Extent]:
    """Pass extents on, and fail on one that does not increase, is empty, or reaches over the end."""
    end = 0
    for extent in extents:
        assert end <= extent.offset < extent.end <= size, "extents increase, are disjoint and within the volume"
        end = extent.end
        yield extent


def patched(image: bytes, *patches: tuple[int, bytes]) -> bytes:
    """Return an image with a few texts written over it."""
    data = bytearray(image)
    for offset, text in patches:
        data[offset : offset + len(text)] = text
    return bytes(data)
