"""The contract of drivers against the qcow2 driver and the programs of QEMU."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from runner.base import clock as clocks
from runner.registry import driver as contract
from runner.storage.qcow2 import driver as qcow2
from runner.testing import driver_bench, driver_contract
from tests import qemu

pytestmark = pytest.mark.server("qemu")

ALL = frozenset(contract.Capability)


@pytest.fixture(autouse=True)
def programs() -> None:
    qemu.needed()


class TestQcow2AtRest(driver_contract.DriverContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> driver_bench.Bench:
        return driver_bench.Bench(
            driver=qcow2.Qcow2Driver(),
            name_of=lambda name: str(tmp_path / name),
            write=qemu.write_image,
            read=qemu.read_image,
            claims=ALL,
            clock=clocks.SystemClock(),
            grain=512,
        )


class Guests:
    """Guests by the name of their volume, each started when something is first written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.by_volume: dict[str, qemu.Guest] = {}

    def name_of(self, name: str) -> str:
        guest = qemu.Guest(self.directory / f"{name}.qcow2")
        self.by_volume.setdefault(guest.volume, guest)
        return guest.volume

    def write(self, volume: str, data: bytes) -> None:
        self.by_volume[volume].write(data)

    def read(self, volume: str) -> bytes:
        return self.by_volume[volume].read()


class OfGuests:
    """The driver for the disks of guests, which cannot be replaced while they run."""

    name = "qcow2"
    listing_delay = timedelta(0)

    def __init__(self, inner: qcow2.Qcow2Driver) -> None:
        self.create_snapshot = inner.create_snapshot
        self.get_snapshot = inner.get_snapshot
        self.list_snapshots = inner.list_snapshots
        self.delete_snapshot = inner.delete_snapshot
        self.open_snapshot = inner.open_snapshot
        self.changed_extents = inner.changed_extents
        self.release_blocks = inner.release_blocks


class TestQcow2OfAGuest(driver_contract.DriverContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[driver_bench.Bench]:
        guests = Guests(tmp_path)
        yield driver_bench.Bench(
            driver=OfGuests(qcow2.Qcow2Driver()),
            name_of=guests.name_of,
            write=guests.write,
            read=guests.read,
            claims=ALL - {contract.Capability.WRITE_BLOCKS},
            clock=clocks.SystemClock(),
            grain=512,
        )
        for guest in guests.by_volume.values():
            guest.stop()
