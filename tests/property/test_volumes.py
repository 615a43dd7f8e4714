"""A volume that was exported and restored is the same, whichever way it was exported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base import cancel, clock, ids
from runner.locations import memory
from runner.registry.driver import Extent, Incomparable
from runner.repository import access, exports, keyslots, repository, volumes
from tests import effort

CHEAP = keyslots.KdfCost(memory_kib=8, iterations=1, lanes=1)
BLOCK = 4096
MIB = 1024 * 1024
UNKNOWN = Incomparable("the storage does not tell what changed")
# Around the ends of a chunk, of a page of chunks (8 MiB), and of a page of pages (1 GiB).
SIZES = [0, 1, 65_535, 65_536, 65_537, 8 * MIB - 1, 8 * MIB, 8 * MIB + 70_000, 20 * MIB, 1024 * MIB, 1030 * MIB + 513]


@dataclass
class Image:
    """A sparse volume in memory: the blocks that are not zero."""

    size_bytes: int
    blocks: dict[int, bytes] = field(default_factory=dict)
    bytes_read: int = 0

    def read_into(self, offset: int, target: memoryview) -> None:
        assert offset + len(target) <= self.size_bytes
        self.bytes_read += len(target)
        end = offset + len(target)
        for number in range(offset // BLOCK, -(-end // BLOCK)):
            first, last = max(offset, number * BLOCK), min(end, (number + 1) * BLOCK)
            block = self.blocks.get(number, bytes(BLOCK))
            target[first - offset : last - offset] = block[first - number * BLOCK : last - number * BLOCK]

    def allocated(self) -> Iterator[Extent]:
        for number in sorted(self.blocks):
            yield Extent(offset=number * BLOCK, length=min(BLOCK, self.size_bytes - number * BLOCK))

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        assert any(data), "zeros are not written"
        assert offset % BLOCK == 0
        for start in range(0, len(data), BLOCK):
            block = bytes(data[start : start + BLOCK])
            if any(block):
                self.blocks[(offset + start) // BLOCK] = block.ljust(BLOCK, b"\0")

    def commit(self) -> None:
        pass

    def cut(self, size_bytes: int) -> Image:
        """Return a copy of another size."""
        whole = {number: block[: max(0, size_bytes - number * BLOCK)] for number, block in self.blocks.items()}
        return Image(size_bytes, {n: block.ljust(BLOCK, b"\0") for n, block in whole.items() if any(block)})


def ends(size: int) -> list[int]:
    """Return the blocks of a volume that lie around the ends of chunks, pages and volumes."""
    near = {end // BLOCK + by for end in SIZES for by in (-1, 0, 1)}
    return sorted(number for number in near if 0 <= number * BLOCK < size)


@st.composite
def edits(draw: st.DrawFn, size: int) -> dict[int, bytes]:
    """Draw the new contents of a few blocks, many of them at the ends of something, some of them zero."""
    if size == 0:
        return {}
    places = draw(st.lists(st.one_of(st.sampled_from(ends(size)), st.integers(0, (size - 1) // BLOCK)), max_size=8))
    return {place: bytes([draw(st.sampled_from([0, 0, 1, 2, 255]))]) * BLOCK for place in places}


def apply(image: Image, changes: dict[int, bytes]) -> None:
    for number, block in changes.items():
        if any(block):
            image.blocks[number] = block[: image.size_bytes - number * BLOCK].ljust(BLOCK, b"\0")
        else:
            image.blocks.pop(number, None)


def changed_extents(image: Image, changes: dict[int, bytes], widen: int) -> Iterator[Extent]:
    """Yield what changed as a storage might: zeros marked as such, other extents at odd offsets and too long."""
    reached = 0
    for number in sorted(changes):
        first, end = number * BLOCK, min(image.size_bytes, (number + 1) * BLOCK)
        zero = not any(changes[number])
        if not zero:
            first, end = max(reached, first - widen), min(image.size_bytes, end + widen)
        first = max(first, reached)
        if first < end:
            yield Extent(offset=first, length=end - first, zero=zero)
            reached = end


def restored(repo: repository.Repository, export: ids.ExportId) -> Image:
    target = Image(volumes.size_of(repo, export))
    volumes.restore_volume(repo, export, target, cancel=cancel.CancelToken(), progress=lambda *_: None)
    return target


def same(one: Image, other: Image) -> bool:
    return one.size_bytes == other.size_bytes and one.blocks == other.blocks


def export(
    repo: repository.Repository,
    image: Image,
    token: str,
    base: ids.ExportId | None = None,
    changed: Iterator[Extent] | Incomparable = UNKNOWN,
) -> exports.ExportResult:
    return volumes.export_volume(
        repo,
        image,
        source="disk",
        token=token,
        base=base,
        changed=changed,
        cancel=cancel.CancelToken(),
        progress=lambda *_: None,
    )


@settings(max_examples=effort.examples(30), deadline=None)
@given(data=st.data())
def test_every_way_of_exporting_gives_the_same_map_and_the_same_volume(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from(SIZES))
    new_size = data.draw(st.one_of(st.just(size), st.sampled_from(SIZES)))
    repo = access.create(memory.Memory(), "x", clock=clock.FakeClock(), kdf=CHEAP)
    old = Image(size)
    apply(old, data.draw(edits(size)))
    first = export(repo, old, "first")
    assert same(restored(repo, first.export), old)

    new = old.cut(new_size)
    changes = data.draw(edits(new_size))
    apply(new, changes)
    # What lies after the end of the base is no change within it, and a storage need not list it.
    within = {n: block for n, block in changes.items() if n * BLOCK < size}
    extents = changed_extents(new, within, data.draw(st.sampled_from([0, 1, 700, 100_000])))
    check_all_ways(repo, new, first.export, extents)


@pytest.mark.parametrize("size", SIZES)
def test_volume_of_another_size_than_its_base_is_exported_whole(size: int) -> None:
    repo = access.create(memory.Memory(), "x", clock=clock.FakeClock(), kdf=CHEAP)
    old = Image(
        size, {n: b"\1" * min(BLOCK, size - n * BLOCK) + bytes(max(0, (n + 1) * BLOCK - size)) for n in ends(size)}
    )
    first = export(repo, old, "first")
    for number, new_size in enumerate(SIZES):
        check_all_ways(repo, old.cut(new_size), first.export, iter(()), str(number))


def check_all_ways(
    repo: repository.Repository, new: Image, base: ids.ExportId, changed: Iterator[Extent], token: str = ""
) -> None:
    results = [
        export(repo, new, f"changed {token}", base, changed),
        export(repo, new, f"rescan {token}", base),
        export(repo, new, f"full {token}"),
    ]
    assert [result.method for result in results] == ["changed", "rescan", "full"]
    for result in results:
        assert repo.manifest(result.export).roots == repo.manifest(results[2].export).roots
        assert same(restored(repo, result.export), new)
        volumes.verify_volume(repo, result.export, cancel=cancel.CancelToken(), progress=lambda *_: None)


def test_data_that_a_shrinking_volume_loses_within_its_last_chunk_is_lost() -> None:
    repo = access.create(memory.Memory(), "x", clock=clock.FakeClock(), kdf=CHEAP)
    old = Image(65_536, {8: b"\1" * BLOCK})
    first = export(repo, old, "first")
    check_all_ways(repo, old.cut(20_000), first.export, iter(()))
