"""The list of entries: written and read in order, found by path, and changed only where a file changed."""

from __future__ import annotations

from dataclasses import replace

from runner.repository import nodes, sequences, tree_entries, tree_entry
from runner.repository.tree_entry import Kind
from tests.unit.repository import chunk_shelf
from tests.unit.repository.tree_samples import entry


def many(count: int) -> list[tree_entry.Entry]:
    files = [
        replace(entry(1, b"file %06d" % number, Kind.FILE), hash=number.to_bytes(32, "big")) for number in range(count)
    ]
    return [entry(0, b"root", Kind.DIRECTORY), *files]


def write(shelf: chunk_shelf.Shelf, entries: list[tree_entry.Entry]) -> sequences.ChunkSequence:
    writer = tree_entries.EntryWriter(shelf, bytes(32))
    for each in entries:
        writer.append(each)
    return writer.finish()


def read(shelf: chunk_shelf.Shelf, top: sequences.ChunkSequence) -> list[tree_entry.Entry]:
    found = []
    for node in shelf.read(sequences.chunks(shelf, top)):
        ids, values = nodes.decode(node)
        assert isinstance(values, list)
        found += [tree_entry.from_cbor(value, iter(ids)) for value in values]
    return found


def test_entries_are_read_as_they_were_written() -> None:
    shelf = chunk_shelf.Shelf()
    assert read(shelf, write(shelf, many(5000))) == many(5000)


def test_a_changed_entry_changes_one_node() -> None:
    shelf = chunk_shelf.Shelf()
    entries = many(5000)
    write(shelf, entries)
    before = len(shelf.held)
    assert before > 40
    changed = [*entries[:2000], replace(entries[2000], hash=b"new"), *entries[2001:]]
    write(shelf, changed)
    assert len(shelf.held) - before <= 4
    inserted = [*entries[:3000], entry(1, b"file 002999 and more", Kind.FILE), *entries[3000:]]
    write(shelf, inserted)
    assert len(shelf.held) - before <= 8


def test_entries_of_a_base_are_found_in_the_order_of_a_walk() -> None:
    listed = [
        entry(0, b"root", Kind.DIRECTORY),
        entry(1, b"a", Kind.DIRECTORY),
        entry(2, b"x", Kind.FILE),
        entry(1, b"a.b", Kind.FILE),
        entry(1, b"c", Kind.FILE),
    ]
    base = tree_entries.BaseEntries(iter(listed))
    wanted = [(b"root", b"a", b"w"), (b"root", b"a", b"x"), (b"root", b"a.b"), (b"root", b"b"), (b"root", b"d")]
    assert [base.find(path) for path in wanted] == [None, listed[2], listed[3], None, None]
