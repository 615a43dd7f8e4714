"""The list of entries: written and read in order, found by path, and changed only where a file changed."""

from __future__ import annotations

import pytest
from msgspec import structs

from runner.repository import encoding, sequences, tree_entries, tree_entry
from runner.repository.tree_entry import Kind
from tests.unit.repository import chunk_shelf
from tests.unit.repository.tree_samples import entry

XATTRS = {b"user.b": b"\0", b"user.a": b""}
CONTENT = sequences.ChunkSequence(level=0, items=((bytes(32), 300), (None, 4096)))


def many(count: int) -> list[tree_entry.Entry]:
    files = [
        structs.replace(entry(1, b"file %06d" % number, Kind.FILE), hash=number.to_bytes(32, "big"))
        for number in range(count)
    ]
    return [entry(0, b"root", Kind.DIRECTORY), *files]


def write(shelf: chunk_shelf.Shelf, entries: list[tree_entry.Entry]) -> sequences.ChunkSequence:
    writer = tree_entries.EntryWriter(shelf, bytes(32))
    for each in entries:
        writer.append(each)
    return writer.finish()


def read(shelf: chunk_shelf.Shelf, top: sequences.ChunkSequence) -> list[tree_entry.Entry]:
    found: list[tree_entry.Entry] = []
    for node in shelf.read(sequences.chunks(shelf, top)):
        found += tree_entries.entries_of(node)
    return found


def test_entries_are_read_as_they_were_written() -> None:
    shelf = chunk_shelf.Shelf()
    assert read(shelf, write(shelf, many(5000))) == many(5000)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"metadata": tree_entry.Metadata(mode=0o4755, uid=70_000, gid=3, user="u", group="g", mtime=-1, xattrs=XATTRS)},
        {"size": 2**40, "hash": bytes(32), "ctime": 2**70, "inode": 2**64 - 1, "content": CONTENT},
        {"target": b"elsewhere"},
        {"link": (b"root", b"first")},
        {"device": (0, 0)},
    ],
)
def test_a_row_is_in_the_canonical_form_and_gives_the_entry(kind: Kind, facts: dict[str, object]) -> None:
    made = entry(3, b"name", kind, **facts)
    if kind is Kind.LINK:
        made = structs.replace(made, metadata=None)
    if kind is not Kind.FILE:
        made = structs.replace(made, content=None)
    row = tree_entry.encode(made, made.content)
    assert row.rest == encoding.encode(encoding.decode(row.rest, "rest"))
    assert tree_entry.decode(row, () if made.content is None else made.content.ids) == made


def test_the_columns_of_a_page_are_in_the_canonical_order() -> None:
    assert tree_entry.Row._fields == tuple(sorted(tree_entry.Row._fields, key=lambda name: (len(name), name)))


def test_a_changed_entry_changes_one_node() -> None:
    shelf = chunk_shelf.Shelf()
    entries = many(5000)
    write(shelf, entries)
    before = len(shelf.held)
    assert before > 40
    changed = [*entries[:2000], structs.replace(entries[2000], hash=b"new"), *entries[2001:]]
    write(shelf, changed)
    assert len(shelf.held) - before <= 4
    inserted = [*entries[:3000], entry(1, b"file 002999 and more", Kind.FILE), *entries[3000:]]
    write(shelf, inserted)
    assert len(shelf.held) - before <= 8
