"""Reading by range: the bytes, and how little is read for them."""

from __future__ import annotations

import itertools
import random

import pytest

from runner.base import ids
from runner.repository import failures, ranges, repository
from tests.property.test_volumes import BLOCK, MIB, Image, export
from tests.unit.repository import making, tree_samples
from tests.unit.repository.test_streams import backup

DATA = random.Random(3).randbytes(5_000_001)


def content_of(repo: repository.Repository, made: ids.ExportId) -> ranges.Content:
    return ranges.of_export(repo.manifest(made), repo.reader())


def test_any_range_of_a_stream() -> None:
    repo = tree_samples.new_repository()
    content = content_of(repo, backup(repo, DATA, "a"))
    draw = random.Random(1)
    for _ in range(60):
        start = draw.randrange(len(DATA) + 1)
        end = start + draw.choice([0, 1, 70_000, 700_000, len(DATA)])
        assert b"".join(ranges.read(content, repo.reader(), start, end)) == DATA[start:end]


def test_any_range_of_a_volume() -> None:
    repo = making.make()
    disk = Image(90 * MIB + 5 * BLOCK, {number: making.noise(str(number), BLOCK) for number in (0, 17, 9000, 23044)})
    content = content_of(repo, export(repo, disk, "a").export)
    whole = b"".join(disk.blocks.get(number, bytes(BLOCK)) for number in range(disk.size_bytes // BLOCK))
    assert content.size_bytes == len(whole)
    for start, length in ((0, 10), (17 * BLOCK - 1, BLOCK + 2), (9001 * BLOCK - 5, 50 * MIB), (len(whole) - 5, 99)):
        assert b"".join(ranges.read(content, repo.reader(), start, start + length)) == whole[start : start + length]
    pieces = list(content.pieces(0, len(whole)))
    assert [piece.offset for piece in pieces[1:]] == [piece.offset + piece.length for piece in pieces[:-1]]
    assert sum(piece.length for piece in pieces) == len(whole)


def test_a_volume_of_zeros_is_one_piece_per_subtree() -> None:
    repo = making.make()
    content = content_of(repo, export(repo, Image(1 << 40, {0: making.noise("a", BLOCK)}), "a").export)
    assert len(list(content.pieces(0, 1 << 40))) < 600


def test_no_more_is_read_than_the_range_needs() -> None:
    repo = tree_samples.new_repository()
    made = backup(repo, DATA, "a")
    chunks = repo.reader()
    content = ranges.of_export(repo.manifest(made), chunks)
    assert isinstance(content, ranges.SequenceContent)
    wanted = [piece for piece in content.pieces(2_000_000, 2_000_001) if piece.chunk is not None]
    assert len(wanted) == 1
    assert wanted[0].offset <= 2_000_000 < wanted[0].offset + wanted[0].length


def test_a_chunk_of_another_length_is_damage() -> None:
    repo = tree_samples.new_repository()
    chunk = repo.manifest(backup(repo, b"x" * 100, "a")).roots[0]
    with pytest.raises(failures.RepositoryDamaged):
        ranges.whole(ranges.Piece(0, 99, chunk), repo.reader().chunk(chunk))


def test_reading_can_be_given_up() -> None:
    repo = tree_samples.new_repository()
    content = content_of(repo, backup(repo, DATA, "a"))
    assert sum(map(len, itertools.islice(ranges.read(content, repo.reader()), 2))) > 0
