"""The contract of drivers against the qcow2 driver and the programs of QEMU."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from runner.base import clock as clocks
from runner.registry import driver as contract
from runner.storage.qcow2 import driver as qcow2
from runner.testing import driver_bench, driver_contract

pytestmark = pytest.mark.server("qemu")

INSTALL = "apt-get install -y --no-install-recommends qemu-utils qemu-system-common"


@pytest.fixture(autouse=True)
def programs() -> None:
    missing = [name for name in ("qemu-img", "qemu-nbd", "qemu-io", "qemu-storage-daemon") if not shutil.which(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)} is missing: {INSTALL}")


def write_image(volume: str, data: bytes) -> None:
    """Write in place as a guest does, leaving holes where there are zeros."""
    path = Path(volume)
    if not path.exists():
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, str(len(data))], check=True)
    if len(read_image(volume)) != len(data):
        subprocess.run(["qemu-img", "resize", "-q", "--shrink", path, str(len(data))], check=True)
    raw = path.with_name(f"{path.name}.raw")
    raw.write_bytes(data)
    old = read_image(volume)
    commands = []
    for offset in range(0, len(data), 4096):
        page = data[offset : offset + 4096]
        if page == old[offset : offset + 4096]:
            continue
        if page.strip(b"\0"):
            part = path.with_name(f"part-{offset}")
            part.write_bytes(page)
            commands += ["-c", f"write -s {part} {offset} {len(page)}"]
        else:
            commands += ["-c", f"write -z -u {offset} {len(page)}"]
    if commands:
        subprocess.run(["qemu-io", "-f", "qcow2", *commands, path], check=True, capture_output=True)
    for part in path.parent.glob("part-*"):
        part.unlink()
    raw.unlink()


def read_image(volume: str) -> bytes:
    path = Path(volume)
    raw = path.with_name(f"{path.name}.raw")
    subprocess.run(["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", path, raw], check=True)
    return raw.read_bytes()


class TestQcow2AtRest(driver_contract.DriverContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> driver_bench.Bench:
        return driver_bench.Bench(
            driver=qcow2.Qcow2Driver(),
            name_of=lambda name: str(tmp_path / name),
            write=write_image,
            read=read_image,
            claims=frozenset(contract.Capability) - {contract.Capability.RELEASE_BLOCKS},
            clock=clocks.SystemClock(),
            grain=512,
        )
