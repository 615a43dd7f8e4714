"""What is made of chunks that were fetched: their content, or a refusal when it is not what their record says."""

from __future__ import annotations

import mmap

import pytest
import zstandard

from runner.repository import crypto, failures, opening, packs, records
from tests.unit.repository.making import noise

KEYS = crypto.Keys(bytes(32), bytes(16))
TEXT = b"all work and no play " * 3000
NOISE = noise("a", 5000)


def sealed(*contents: bytes, codec: int = records.Codec.ZSTD, lengths: tuple[int, ...] = ()) -> list[opening.Sealed]:
    """Seal contents into a pack; their records may tell other lengths."""
    data = [zstandard.compress(each, 1) if codec == records.Codec.ZSTD else each for each in contents]
    kind = crypto.Kind.DATA
    pieces = [
        packs.Piece(KEYS.chunk_id(kind, content), kind, codec, length, part)
        for content, length, part in zip(contents, lengths or map(len, contents), data, strict=True)
    ]
    builder = packs.PackBuilder(KEYS, bytes(32), mmap.mmap(-1, packs.CAPACITY))
    builder.seal(pieces, *builder.reserve(pieces))
    found = [records.Record(bytes(32), *records.ENTRY.unpack(entry)) for entry in builder.entries]
    view = memoryview(builder.buffer)
    return [opening.Sealed(n, record, view[record.offset :][: record.stored]) for n, record in enumerate(found)]


def test_contents_come_one_behind_the_other() -> None:
    chunks = sealed(TEXT, b"", b"a" * 70_000) + sealed(NOISE, b"b", codec=records.Codec.RAW) + sealed(TEXT)
    opener = opening.Opener(KEYS, rehash=True)
    assert opener.open(chunks) == TEXT + b"a" * 70_000 + NOISE + b"b" + TEXT
    assert opener.open(chunks[:1]) == TEXT


@pytest.mark.parametrize("codec", [records.Codec.RAW, records.Codec.ZSTD])
@pytest.mark.parametrize("by", [-100, -1, 1, 100])
@pytest.mark.parametrize("place", [0, 1])
def test_chunk_of_another_length_than_its_record_says_is_refused(codec: int, by: int, place: int) -> None:
    lengths = (len(TEXT), len(TEXT) + by) if place else (len(TEXT) + by, len(TEXT))
    chunks = sealed(TEXT, TEXT, codec=codec, lengths=lengths)
    with pytest.raises(failures.RepositoryDamaged, match="not what its id says"):
        opening.Opener(KEYS, rehash=False).open(chunks)


def test_lengths_that_make_up_for_each_other_are_refused() -> None:
    chunks = sealed(TEXT, NOISE, lengths=(len(TEXT) - 10, len(NOISE) + 10))
    with pytest.raises(failures.RepositoryDamaged, match="not what its id says"):
        opening.Opener(KEYS, rehash=False).open(chunks)


def test_content_that_is_no_frame_is_refused() -> None:
    [chunk] = sealed(NOISE, codec=records.Codec.RAW)
    piece = packs.Piece(chunk.record.id, crypto.Kind.DATA, records.Codec.ZSTD, len(NOISE), NOISE)
    builder = packs.PackBuilder(KEYS, bytes(32), mmap.mmap(-1, packs.CAPACITY))
    builder.seal([piece], *builder.reserve([piece]))
    record = chunk.record._replace(codec=records.Codec.ZSTD)
    with pytest.raises(failures.RepositoryDamaged, match="cannot be decompressed"):
        opening.Opener(KEYS, rehash=False).open(
            [opening.Sealed(0, record, memoryview(builder.buffer)[: record.stored])]
        )
