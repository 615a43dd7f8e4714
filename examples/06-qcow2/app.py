"""A virtual disk in qcow2 format that checks itself: the application that this example backs up.

    app.py write IMAGE    make the image, or change about one block in a hundred of it
    app.py check IMAGE    prove that every block holds what was written there

Each block of 64 KiB is either a hole or starts with the hash of the rest, its own number and how often it was written.
"""

import contextlib
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

BLOCK_BYTES = 64 << 10
BLOCKS = 1024
HEADER = struct.Struct(">32sII")


def block(number: int, times: int) -> bytes:
    """Make the content of a block: half of it compresses well, half not at all."""
    noise = hashlib.shake_256(f"{number}/{times}".encode()).digest(BLOCK_BYTES // 2)
    body = struct.pack(">II", number, times) + noise
    body += b"x" * (BLOCK_BYTES - 32 - len(body))
    return hashlib.sha256(body).digest() + body


def in_use(number: int) -> bool:
    """Leave a third of the volume unused, as file systems do."""
    return number % 48 < 32


def run(*command: str | Path) -> None:
    """Run a program of QEMU."""
    if shutil.which(command[0]) is None:
        install = "apt-get install -y --no-install-recommends qemu-utils qemu-system-common"
        raise SystemExit(f"{command[0]} is missing: {install}")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def content(image: Path) -> Iterator[Path]:
    """Give what a guest would see, as a raw file."""
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch, "raw")
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw)
        yield raw


def write(image: Path) -> None:
    """Make the image, or go on with it; a block that was being written when we were stopped is written again."""
    if not image.exists():
        make(image)
        return
    with content(image) as raw, tempfile.TemporaryDirectory() as scratch:
        commands: list[str] = []
        for number in filter(in_use, range(0, BLOCKS, 101)):
            new = Path(scratch, str(number))
            new.write_bytes(block(number, times_written(raw, number) + 1))
            commands += ["-c", f"write -s {new} {number * BLOCK_BYTES} {BLOCK_BYTES}"]
        run("qemu-io", "-f", "qcow2", *commands, image)


def make(image: Path) -> None:
    """Make the image, under its name only when it is complete."""
    image.parent.mkdir(parents=True, exist_ok=True)
    partial = image.with_name(f".{image.name}.partial")
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch, "raw")
        with raw.open("wb") as file:
            file.truncate(BLOCKS * BLOCK_BYTES)
            for number in filter(in_use, range(BLOCKS)):
                file.seek(number * BLOCK_BYTES)
                file.write(block(number, 1))
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, partial)
    partial.rename(image)


def times_written(raw: Path, number: int) -> int:
    """Read from a block how often it was written."""
    with raw.open("rb") as file:
        return int(HEADER.unpack(os.pread(file.fileno(), HEADER.size, number * BLOCK_BYTES))[2])


def damaged(raw: Path) -> Iterator[int]:
    """Yield the numbers of the blocks that are not what was written there."""
    with raw.open("rb") as file:
        for number in range(BLOCKS):
            found = file.read(BLOCK_BYTES)
            wanted = block(number, HEADER.unpack_from(found)[2]) if in_use(number) else bytes(BLOCK_BYTES)
            if found != wanted:
                yield number


def check(image: Path) -> None:
    """Stop unless all blocks are whole."""
    with content(image) as raw:
        if raw.stat().st_size != BLOCKS * BLOCK_BYTES:
            raise SystemExit(f"{image} has {raw.stat().st_size} bytes instead of {BLOCKS * BLOCK_BYTES}")
        wrong = list(damaged(raw))
    if wrong:
        raise SystemExit(f"{len(wrong)} of {BLOCKS} blocks of {image} are damaged, the first is number {wrong[0]}")
    print(f"all {BLOCKS} blocks of {image} are whole")


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]).absolute())
