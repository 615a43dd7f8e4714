"""How many requests a repository makes: metadata lies side by side, and neighbours are found together."""

from __future__ import annotations

from collections import Counter

import pytest

from runner.base import cancel
from runner.locations import memory
from runner.registry import location as locations
from runner.registry.driver import Extent
from runner.repository import crypto, failures, neighbours, packing, packs, records, repository
from tests.property.test_volumes import BLOCK, Image, export, restored, same
from tests.unit.repository.making import make, noise, put, reopen

CHUNK = 65_536
PAGE = 128 * CHUNK


class Counting(memory.Memory):
    """Counts how often ranges are read, and how much, by the kind of object."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        kind = name.partition("/")[0]
        self.reads[kind] += 1
        self.bytes[kind] += len(target)
        super().read_into(name, offset, target)


def image(pages: int) -> Image:
    """Return a volume with four chunks of data under each page of its map."""
    blocks = {}
    for page in range(pages):
        for chunk in range(4):
            blocks[(page * PAGE + chunk * CHUNK) // BLOCK] = noise(f"{page} {chunk}", BLOCK)
    return Image(pages * PAGE, blocks)


def noises(seed: str, count: int) -> list[bytes]:
    return [noise(f"{seed} {number}", 1000) for number in range(count)]


def kinds_of_packs(repo: repository.Repository) -> list[set[int]]:
    """Return which kinds of chunks lie together in each pack."""
    found = []
    for info in repo.location.list(packs.PREFIX):
        salt = records.salt_of(info.name)
        assert salt is not None
        found.append({record.kind for record in packs.read_directory(repo.location, repo.keys, salt, info.size)})
    return found


def test_metadata_lies_in_packs_of_its_own_and_joins_the_last_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_METADATA_CHUNKS", 10)
    repo = make()
    export(repo, image(25), "a")
    page, data, manifest = crypto.Kind.PAGE, crypto.Kind.DATA, crypto.Kind.MANIFEST
    assert sorted(map(sorted, kinds_of_packs(repo))) == [[data, page, manifest], [page], [page]]


def test_small_export_is_one_pack() -> None:
    repo = make()
    export(repo, image(25), "a")
    assert len(kinds_of_packs(repo)) == 1


def test_requests_of_an_export_grow_with_what_changed_not_with_the_volume() -> None:
    place = Counting()
    repo = make(place)
    disk = image(500)
    base = export(repo, disk, "a").export
    changed = range(0, 500, 20)
    for page in changed:
        disk.blocks[page * PAGE // BLOCK] = noise(f"new {page}", BLOCK)
    other = reopen(repo)
    place.reads.clear()
    done = export(other, disk, "b", base, (Extent(offset=page * PAGE, length=BLOCK) for page in changed))
    assert done.bytes_read == len(changed) * CHUNK
    # 25 pages of the map would be 50 requests, if each page and each place of one were asked for by itself.
    assert place.reads["data"] + place.reads["index"] < 25
    assert same(restored(other, done.export), disk)


def test_restore_asks_directories_where_chunks_lie() -> None:
    place = Counting()
    repo = make(place)
    done = export(repo, image(500), "a")
    other = reopen(repo)
    other.index.refresh()
    place.reads.clear()
    restored(other, done.export)
    assert place.reads["index"] <= 8


@pytest.mark.parametrize(("every", "requests", "least", "most"), [(7, 4, 170, 200), (10, 20, 20, 22)])
def test_small_gap_is_read_over_and_a_large_one_is_not(every: int, requests: int, least: int, most: int) -> None:
    place = Counting()
    repo = make(place, workers=1)
    chunks = [noise(str(number), CHUNK) for number in range(200)]
    export = put(repo, "a", *chunks)
    roots = repo.manifest(export).roots
    place.reads.clear()
    place.bytes.clear()
    found: dict[int, bytes] = {}
    batch = [(number * CHUNK, roots[number]) for number in range(0, 200, every)]
    repo.reader().scatter([batch], lambda offset, content: found.update({offset: bytes(content)}), cancel.CancelToken())
    assert found == {number * CHUNK: chunks[number] for number in range(0, 200, every)}
    assert place.reads["data"] == requests + len(["directory"])
    assert least * CHUNK <= place.bytes["data"] <= most * CHUNK


@pytest.mark.parametrize(("chunks", "requests"), [(1, 1), (1300, 1), (1500, 2)])
def test_directory_is_read_with_one_request_unless_it_is_long(chunks: int, requests: int) -> None:
    place = Counting()
    repo = make(place)
    put(repo, "a", *(str(number).encode() for number in range(chunks)))
    place.reads.clear()
    assert len(kinds_of_packs(repo)) == 1
    assert place.reads["data"] == requests


def test_what_is_known_of_neighbours_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    repo = make()
    roots = [repo.manifest(put(repo, str(pack), *noises(f"{pack}", 20))).roots for pack in range(5)]
    monkeypatch.setattr(neighbours, "_MOST_RECORDS", 50)
    known = neighbours.Neighbours(repo.keys, repo.index)
    for _ in range(2):
        for chunks in roots:
            assert [known.locate(chunk, repo.location).id for chunk in chunks] == list(chunks)
            assert len(known._known) <= 50


def test_chunks_are_found_without_the_directory_of_their_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(location: locations.Location, keys: crypto.Keys, salt: bytes, size: int) -> list[records.Record]:
        raise failures.damaged(records.pack_name(salt), "it has no trailer")

    repo, disk = make(), image(20)
    done = export(repo, disk, "a")
    monkeypatch.setattr(packs, "read_directory", refuse)
    assert same(restored(reopen(repo), done.export), disk)
