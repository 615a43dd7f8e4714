"""Stretches that two files share on the disk, on a file system that shares blocks and on one that does not."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from runner.registry.driver import Extent
from runner.storage.file import comparing, fiemap
from runner.testing import driver_bench

MIB = 1 << 20
BLOCK = 4096


def clone(source: Path) -> Path:
    target = source.with_name(f"{source.name}.clone")
    subprocess.run(["cp", "--reflink=always", source, target], check=True)
    return target


def shared(one: Path, other: Path) -> list[Extent]:
    with one.open("rb") as left, other.open("rb") as right:
        found = fiemap.shared(left.fileno(), right.fileno())
        return list(driver_bench.checked(found, max(one.stat().st_size, other.stat().st_size) + BLOCK))


def differences(old: Path, new: Path) -> list[Extent]:
    sizes = old.stat().st_size, new.stat().st_size
    with old.open("rb") as left, new.open("rb") as right:
        return list(comparing.differences(left.fileno(), sizes[0], right.fileno(), sizes[1]))


def test_clone_shares_everything_but_what_was_written_since(reflink_disk: Path) -> None:
    old = reflink_disk / "image"
    old.write_bytes(os.urandom(8 * MIB))
    new = clone(old)
    assert shared(old, new) == [Extent(offset=0, length=8 * MIB)]
    with new.open("r+b") as file:
        os.pwrite(file.fileno(), b"x", 3 * MIB + 5)
    found = shared(old, new)
    assert 8 * MIB - sum(one.length for one in found) == BLOCK
    assert differences(old, new) == [Extent(offset=3 * MIB, length=BLOCK)]


def test_equal_copy_shares_nothing(reflink_disk: Path) -> None:
    old, new = reflink_disk / "image", reflink_disk / "copy"
    for path in (old, new):
        path.write_bytes(b"equal" * 100_000)
    assert shared(old, new) == []
    assert differences(old, new) == []


def test_nothing_is_shared_where_the_file_system_does_not_tell(small_disk: Path) -> None:
    one, other = small_disk / "one", small_disk / "other"
    for path in (one, other):
        path.write_bytes(bytes(range(256)) * 16)
    assert shared(one, other) == []


@pytest.mark.parametrize("seed", range(10))
def test_differences_of_clones_lead_from_one_to_the_other(reflink_disk: Path, seed: int) -> None:
    dice = random.Random(seed)
    old = reflink_disk / "image"
    with old.open("wb") as file:
        for _ in range(20):
            os.pwrite(file.fileno(), dice.randbytes(dice.randint(1, 300_000)), dice.randrange(12 * MIB))
    new = clone(old)
    with new.open("r+b") as file:
        for _ in range(20):
            os.pwrite(file.fileno(), dice.randbytes(dice.choice([1, 511, 4096, 70_000])), dice.randrange(12 * MIB))
        os.truncate(file.fileno(), max(old.stat().st_size, new.stat().st_size) + dice.randrange(MIB))
    rebuilt = bytearray(old.read_bytes().ljust(new.stat().st_size, b"\0"))
    content = new.read_bytes()
    for extent in driver_bench.checked(iter(differences(old, new)), len(content)):
        rebuilt[extent.offset : extent.end] = content[extent.offset : extent.end]
    assert rebuilt == content
