"""A raw volume image that checks itself: the application that this example backs up.

    app.py write IMAGE    make the image, or change about one block in a hundred of it
    app.py check IMAGE    prove that every block holds what was written there

Each block of 64 KiB is either a hole or starts with the hash of the rest, its own number and how often it was written.
"""

import hashlib
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

BLOCK_BYTES = 64 << 10
BLOCKS = 1024
HEADER = struct.Struct(">32sII")


def block(number: int, times: int) -> bytes:
    """Make the content of a block: half of it compresses well, half not at all."""
    seed = f"{number}/{times}".encode()
    noise = hashlib.shake_256(seed).digest(BLOCK_BYTES // 2)
    body = struct.pack(">II", number, times) + noise
    body += b"x" * (BLOCK_BYTES - 32 - len(body))
    return hashlib.sha256(body).digest() + body


def in_use(number: int) -> bool:
    """Leave a third of the volume unused, as file systems do."""
    return number % 48 < 32


def write(image: Path) -> None:
    """Make the image, or go on with it; a block that was being written when we were stopped is written again."""
    if not image.exists():
        partial = image.with_name(f".{image.name}.partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.truncate(BLOCKS * BLOCK_BYTES)
            for number in filter(in_use, range(BLOCKS)):
                file.seek(number * BLOCK_BYTES)
                file.write(block(number, 1))
        partial.rename(image)
        return
    with image.open("r+b") as file:
        for number in filter(in_use, range(0, BLOCKS, 101)):
            os.pwrite(file.fileno(), block(number, times_written(file.fileno(), number) + 1), number * BLOCK_BYTES)


def times_written(file: int, number: int) -> int:
    """Read from a block how often it was written."""
    return int(HEADER.unpack(os.pread(file, HEADER.size, number * BLOCK_BYTES))[2])


def damaged(image: Path) -> Iterator[int]:
    """Yield the numbers of the blocks that are not what was written there."""
    with image.open("rb") as file:
        for number in range(BLOCKS):
            found = file.read(BLOCK_BYTES)
            wanted = block(number, HEADER.unpack_from(found)[2]) if in_use(number) else bytes(BLOCK_BYTES)
            if found != wanted:
                yield number


def check(image: Path) -> None:
    """Stop unless all blocks are whole."""
    if image.stat().st_size != BLOCKS * BLOCK_BYTES:
        raise SystemExit(f"{image} has {image.stat().st_size} bytes instead of {BLOCKS * BLOCK_BYTES}")
    wrong = list(damaged(image))
    if wrong:
        raise SystemExit(f"{len(wrong)} of {BLOCKS} blocks of {image} are damaged, the first is number {wrong[0]}")
    print(f"all {BLOCKS} blocks of {image} are whole")


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]))
