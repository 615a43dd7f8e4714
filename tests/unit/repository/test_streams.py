"""Streams and the lists of chunks that they are made of."""

from __future__ import annotations

import random
from collections.abc import Sequence

import blake3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base import cancel as cancels
from runner.base import errors, ids
from runner.repository import chunking, crypto, repository, sequences, streams
from runner.repository.encoding import CborValue
from tests import effort
from tests.unit.repository import chunk_shelf, tree_samples


@pytest.fixture
def repo() -> repository.Repository:
    return tree_samples.new_repository()


def backup(repo: repository.Repository, data: bytes, token: str, piece: int = 100_000) -> ids.ExportId:
    with repo.writer(token=token, cancel=cancels.CancelToken()) as sink:
        capture = streams.StreamCapture(repo, sink, lambda _: None)
        for start in range(0, len(data), piece):
            capture.feed(data[start : start + piece])
        return capture.finish("a test").export


def restore(repo: repository.Repository, export: ids.ExportId) -> bytes:
    return b"".join(streams.StreamSource(repo, export, cancel=cancels.CancelToken(), progress=lambda _: None))


@pytest.mark.parametrize("size", [0, 1, 65_536, 1 << 21, (1 << 21) + 1, 7_000_001])
def test_a_stream_comes_back(repo: repository.Repository, size: int) -> None:
    data = random.Random(size).randbytes(size)
    export = backup(repo, data, "token")
    assert restore(repo, export) == data
    assert streams.verify_stream(repo, export, cancel=cancels.CancelToken(), progress=lambda _: None) == size


def test_how_a_stream_arrives_does_not_matter(repo: repository.Repository) -> None:
    data = random.Random(1).randbytes(3_000_000)
    first = repo.manifest(backup(repo, data, "one", piece=4_000_000))
    second = repo.manifest(backup(repo, data, "two", piece=10_007))
    assert first.roots == second.roots
    assert (second.bytes_read, second.bytes_new) == (3_000_000, 0)


def test_an_insertion_stores_only_what_is_around_it(repo: repository.Repository) -> None:
    data = random.Random(2).randbytes(8_000_000)
    backup(repo, data, "one")
    changed = data[:3_000_000] + b"inserted" + data[3_000_000:]
    second = repo.manifest(backup(repo, changed, "two"))
    assert second.bytes_new < 2 * 512 * 1024
    assert restore(repo, second.export) == changed


def test_a_stream_that_is_not_finished_cannot_be_found(repo: repository.Repository) -> None:
    with repo.writer(token="token", cancel=cancels.CancelToken()) as sink:
        streams.StreamCapture(repo, sink, lambda _: None).feed(bytes(5_000_000))
    assert repo.find_export("token") is None


def test_a_stream_with_another_hash_is_refused_after_the_last_piece(repo: repository.Repository) -> None:
    with repo.writer(token="token", cancel=cancels.CancelToken()) as sink:
        chunk = sink.add([b"data"], crypto.Kind.DATA).result()[0]
        body: CborValue = {"content": [0, [4]], "length": 4, "hash": blake3.blake3(b"other").digest()}
        export = sink.finish({"kind": "stream", "source": "forged", "roots": [chunk], "body": body, "facts": {}})
    with pytest.raises(errors.PermanentError) as caught:
        restore(repo, export)
    assert caught.value.code == "RT419"


def test_cut_points_depend_on_the_seed_and_never_change() -> None:
    data = random.Random(3).randbytes(1_000_000)

    def lengths(seed: int) -> list[int]:
        chunker = chunking.Chunker(seed)
        return [len(piece) for piece in [*chunker.feed(data), *chunker.end()]]

    assert lengths(1) == GOLDEN
    assert lengths(2) != GOLDEN
    assert lengths((1 << 64) - 1)


GOLDEN = [289093, 176420, 160204, 356930, 17353]


def item(number: int) -> sequences.Item:
    return (None, number) if number % 5 == 4 else (blake3.blake3(number.to_bytes(4, "big")).digest(), number + 1)


def build(shelf: chunk_shelf.Shelf, items: Sequence[sequences.Item]) -> sequences.ChunkSequence:
    writer = sequences.SequenceWriter(shelf)
    for chunk, length in items:
        writer.append(chunk, length)
    return writer.finish()


@settings(max_examples=effort.examples(20), deadline=None)
@given(numbers=st.one_of(st.lists(st.integers(0, 10_000), max_size=60), st.integers(0, 30_000).map(range)))
def test_a_sequence_of_any_length_is_read_as_it_was_written(numbers: Sequence[int]) -> None:
    shelf = chunk_shelf.Shelf()
    items = [item(number) for number in numbers]
    built = build(shelf, items)
    assert list(sequences.items(shelf, built)) == items
    assert built.length == sum(length for _, length in items)
    assert len(built.items) <= 8
    assert sequences.from_cbor(built.to_cbor(), iter(built.ids)) == built


def test_a_change_in_a_long_sequence_makes_few_new_pages() -> None:
    shelf = chunk_shelf.Shelf()
    items = [item(number) for number in range(20_000)]
    build(shelf, items)
    before = len(shelf.held)
    build(shelf, [*items[:9000], item(99_999), *items[9000:]])
    assert before > 100
    assert len(shelf.held) - before <= 6
