"""Images and guests for the tests of the qcow2 driver, by the programs of QEMU."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.nbd import client

INSTALL = "apt-get install -y --no-install-recommends qemu-utils qemu-system-common"
PROGRAMS = ("qemu-img", "qemu-nbd", "qemu-io", "qemu-storage-daemon")


def needed() -> None:
    """Skip the test unless the programs are installed."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
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


class Guest:
    """A `qemu-storage-daemon` that has one image open, as a virtual machine would."""

    def __init__(self, image: Path) -> None:
        self.image = image
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.monitor.unlink(missing_ok=True)
        node = f"driver=qcow2,node-name=disk,discard=unmap,file.driver=file,file.filename={self.image}"
        self.process = subprocess.Popen(
            [
                "qemu-storage-daemon",
                "--blockdev", node,
                "--nbd-server", f"addr.type=unix,addr.path={self.server}",
                "--export", "type=nbd,id=guest,node-name=disk,name=guest,writable=on",
                "--chardev", f"socket,id=qmp,path={self.monitor},server=on,wait=off",
                "--monitor", "chardev=qmp",
            ]
        )  # fmt: skip
        while not (self.monitor.exists() and self.server.exists()):
            assert self.process.poll() is None
            time.sleep(0.005)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait() == 0
            self.process = None

    @property
    def monitor(self) -> Path:
        return self.image.with_suffix(".qmp")

    @property
    def server(self) -> Path:
        return self.image.with_suffix(".sock")

    @property
    def volume(self) -> str:
        return f"qmp:{self.monitor}?node=disk&nbd={self.server}"

    @contextlib.contextmanager
    def connected(self) -> Iterator[client.Connection]:
        with socket.socket(socket.AF_UNIX) as ours:
            ours.connect(str(self.server))
            with client.Connection(ours, "guest") as connection:
                yield connection

    def write(self, data: bytes) -> None:
        """Write through the guest; to give the image another size, it is turned off for a moment."""
        if self.process is None or len(self.read()) != len(data):
            self.stop()
            old = read_image(str(self.image)) if self.image.exists() else b""
            write_image(str(self.image), old[: len(data)].ljust(len(data), b"\0"))
            self.start()
        old = self.read()
        with self.connected() as connection:
            for offset in range(0, len(data), 4096):
                page = data[offset : offset + 4096]
                if page != old[offset : offset + 4096]:
                    connection.write(offset, memoryview(page))

    def read(self) -> bytes:
        with self.connected() as connection:
            data = bytearray(connection.size_bytes)
            connection.read_into(0, memoryview(data))
            return bytes(data)
