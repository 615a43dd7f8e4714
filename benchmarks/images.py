"""Images that are like file systems, and a volume that is made while it is read."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from runner.registry.driver import Extent

CHUNK = 64 * 1024
MIB = 1024 * 1024


def make_image(path: Path, size: int) -> None:
    """Write the image; the same on every run on one machine."""
    draw = random.Random(7)
    files = _files()
    with path.open("wb") as image:
        while image.tell() < size:
            what = draw.random()
            if what < 0.22:
                image.seek(draw.randrange(64, 4096) * 4096, os.SEEK_CUR)
            elif what < 0.25:
                image.write(draw.randbytes(draw.randrange(256, 2048) * 4096))
            elif what < 0.28:
                image.write(_log(draw, draw.randrange(256, 2048) * 4096))
            else:
                _copy_files(image, files, draw.randrange(256, 4096) * 4096)
        image.truncate(size)


def _files() -> Iterator[Path]:
    for top in ("/usr/share", "/usr/bin", "/usr/lib", sys.prefix, sys.base_prefix):
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
                    yield path


def _copy_files(image: BinaryIO, files: Iterator[Path], count: int) -> None:
    end = image.tell() + count
    while image.tell() < end:
        path = next(files, None)
        if path is None:
            image.write(os.urandom(end - image.tell()))
            return
        data = path.read_bytes()[: 16 * MIB]
        image.write(data + bytes(-len(data) % 4096))


def _log(draw: random.Random, count: int) -> bytes:
    lines = []
    length = 0
    while length < count:
        line = (
            f"2026-11-{draw.randrange(1, 30):02} {draw.randrange(24):02}:{draw.randrange(60):02}:00 "
            f"host-{draw.randrange(40)} app[{draw.randrange(30000)}]: request /items/{draw.getrandbits(40):x} "
            f"took {draw.randrange(900)} ms, status {draw.choice((200, 200, 200, 404, 500))}\n"
        )
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()[:count]


def change_image(path: Path, share: float) -> list[tuple[int, int]]:
    """Overwrite a share of the chunks in part; return the extents that a storage would report."""
    draw = random.Random(11)
    size = path.stat().st_size
    numbers = sorted(draw.sample(range(size // CHUNK), max(1, int(size // CHUNK * share))))
    with path.open("r+b") as image:
        for number in numbers:
            for _ in range(8):
                image.seek(number * CHUNK + draw.randrange(15) * 4096)
                image.write(draw.randbytes(4096))
    return [(number * CHUNK, CHUNK) for number in numbers]


class SyntheticReader:
    """A volume made while it is read: every chunk differs from every other and compresses to about 2 KiB."""

    def __init__(self, size: int) -> None:
        self.size_bytes = size
        self._text = (b"all work and no play " * 4096)[:CHUNK]
        self._noise = random.Random(5).randbytes(CHUNK)

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill the target."""
        for start in range(0, len(target), CHUNK):
            part = target[start : start + CHUNK]
            part[:] = self._text[: len(part)]
            number = offset + start
            shift = number // CHUNK % (CHUNK - 2048)
            part[:8] = number.to_bytes(8, "big")
            part[8:2056] = self._noise[shift : shift + 2048]

    def allocated(self) -> Iterator[Extent]:
        """Yield what may hold data."""
        yield Extent(offset=0, length=self.size_bytes)
