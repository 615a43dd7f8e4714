"""The list of a base beside a walk: what is found, what is compared, and what is kept as it is stored."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from msgspec import structs

from runner.repository import encoding, failures, nodes, sequences, tree_base, tree_entries, tree_entry, tree_metadata
from runner.repository.tree_entry import Kind
from tests.unit.repository import chunk_shelf
from tests.unit.repository.tree_samples import entry

KEY = bytes(32)


def write(shelf: chunk_shelf.Shelf, entries: list[tree_entry.Entry]) -> sequences.ChunkSequence:
    writer = tree_entries.EntryWriter(shelf, KEY)
    for each in entries:
        writer.append(each)
    return writer.finish()


def file_with_content(number: int, name: bytes) -> tree_entry.Entry:
    content = sequences.ChunkSequence(level=0, items=((number.to_bytes(32, "big"), 5), (None, 7)))
    return structs.replace(entry(1, name, Kind.FILE), content=content, hash=number.to_bytes(32, "big"))


def many(count: int) -> list[tree_entry.Entry]:
    files = [file_with_content(number, b"file %06d" % number) for number in range(count)]
    return [entry(0, b"root", Kind.DIRECTORY), *files]


def page_of(entries: list[tree_entry.Entry]) -> tree_base.Page:
    ids = [chunk for each in entries if each.content is not None for chunk in each.content.ids]
    return tree_base.Page(b"id", nodes.encode(ids, [tree_entry.to_cbor(each) for each in entries]))


def test_entries_are_found_in_the_order_of_a_walk() -> None:
    listed = [
        entry(0, b"root", Kind.DIRECTORY),
        entry(1, b"a", Kind.DIRECTORY),
        entry(2, b"b", Kind.DIRECTORY),
        entry(3, b"y", Kind.FILE),
        entry(2, b"x", Kind.FILE),
        entry(1, b"a.b", Kind.FILE),
        entry(1, b"c", Kind.DIRECTORY),
        entry(2, b"z", Kind.FILE),
        entry(0, b"second", Kind.FILE),
    ]
    pages = [page_of(listed[:2]), page_of([]), page_of(listed[2:])]
    base = tree_base.BaseEntries(iter(pages))
    walk = [(0, b"root"), (1, b"a"), (2, b"w"), (2, b"x"), (1, b"a.b"), (1, b"b"), (2, b"y"), (1, b"c"), (2, b"z")]
    wanted = [listed[0], listed[1], None, listed[4], listed[5], None, None, listed[6], listed[7], None, listed[8]]
    for (depth, name), old in zip([*walk, (1, b"d"), (0, b"second")], wanted, strict=True):
        found = base.find(depth, name)
        assert found == (None if old is None else tree_entry.to_cbor(old))
        if old is not None:
            page, number = base.place
            assert page.entry(number) == old


@pytest.mark.parametrize("value", [{"depth": 0}, {"depth": 0, "name": "text"}, {"depth": "0"}, [], 7])
def test_a_list_that_holds_something_else_is_damage(value: encoding.CborValue) -> None:
    with pytest.raises(failures.RepositoryDamaged):
        tree_base.BaseEntries(iter([tree_base.Page(b"id", nodes.encode([], [value]))])).find(0, b"name")


def test_a_node_that_holds_no_list_is_damage() -> None:
    with pytest.raises(failures.RepositoryDamaged):
        tree_base.Page(b"id", nodes.encode([], {}))


@pytest.mark.parametrize("content", [None, [], [0, 7], [0, ["x"]], [0, [1]], [0, [1, 1, 1]]])
def test_a_content_that_takes_other_ids_than_there_are_is_damage(content: encoding.CborValue) -> None:
    value = {**tree_entry.to_cbor(file_with_content(1, b"name")), "content": content}
    page = tree_base.Page(b"id", nodes.encode([bytes(32), bytes(32)], [value]))
    with pytest.raises(failures.RepositoryDamaged):
        page.ids(0)


def test_kept_pages_are_taken_over_and_what_is_kept_of_others_is_written_as_it_was() -> None:
    """Whatever is kept, dropped and added, the list is the one that would be written without a base."""
    entries = many(1000)
    shelf = chunk_shelf.Shelf()
    top = write(shelf, entries)
    pages = list(tree_base.pages(shelf, top))
    assert len(pages) > 8
    first, last = len(pages[0].values), len(pages[0].values) + len(pages[1].values) - 1
    for dropped, added in itertools.product((None, 0, 5, first, first + 9, last), repeat=2):
        writer, anew = tree_entries.EntryWriter(shelf, KEY), chunk_shelf.Shelf()
        places = [(page, number) for page in pages for number in range(len(page.values))]
        expected = []
        for index, (page, number) in enumerate(places):
            if index != dropped:
                writer.keep(page, number)
                expected.append(entries[index])
            if index == added:
                writer.append(file_with_content(7, entries[index].name + b"+"))
                expected.append(file_with_content(7, entries[index].name + b"+"))
        assert writer.finish() == write(anew, expected)
        assert set(anew.held) <= set(shelf.held)


def test_a_kept_page_is_not_stored_again() -> None:
    shelf, other = chunk_shelf.Shelf(), chunk_shelf.Shelf()
    top = write(shelf, many(1000))
    writer = tree_entries.EntryWriter(other, KEY)
    pages = list(tree_base.pages(shelf, top))
    for page in pages:
        for number in range(len(page.values)):
            writer.keep(page, number)
    assert writer.finish() == top
    assert not {page.id for page in pages} & set(other.held)


def listed(file: Path) -> tuple[tree_base.Value, os.stat_result]:
    facts = file.lstat()
    metadata = tree_metadata.MetadataReader().read(os.fsencode(file), facts)
    content = sequences.ChunkSequence(level=0, items=())
    made = tree_entry.Entry(
        depth=1,
        name=b"file",
        kind=Kind.FILE,
        metadata=metadata,
        size=facts.st_size,
        content=content,
        ctime=facts.st_ctime_ns,
        inode=facts.st_ino,
    )
    return tree_entry.to_cbor(made), facts


@pytest.mark.parametrize("field", ["ctime", "inode", "mtime", "size"])
def test_a_file_with_another_time_inode_or_size_is_read(tmp_path: Path, field: str) -> None:
    (tmp_path / "file").write_bytes(b"content")
    value, facts = listed(tmp_path / "file")
    assert tree_base.is_unchanged(value, facts)
    assert not tree_base.is_unchanged({**value, field: int(str(value[field])) + 1}, facts)


def test_a_time_that_cannot_tell_and_what_is_no_file_are_no_proof(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    value, facts = listed(tmp_path / "file")
    silent = os.stat_result(
        facts, {**{name: getattr(facts, name) for name in dir(facts) if name.startswith("st_")}, "st_ctime_ns": 0}
    )
    assert not tree_base.is_unchanged({**value, "ctime": 0}, silent)
    assert not tree_base.is_unchanged({**value, "type": "fifo"}, facts)


@pytest.mark.parametrize(
    ("field", "other"), [("mode", 0o4000), ("uid", 77), ("gid", 77), ("user", "x"), ("group", "x")]
)
def test_a_file_with_other_metadata_is_not_kept_as_it_is_listed(tmp_path: Path, field: str, other: object) -> None:
    (tmp_path / "file").write_bytes(b"content")
    value, facts = listed(tmp_path / "file")
    reader = tree_metadata.MetadataReader()
    assert tree_base.is_as_listed(value, facts, reader)
    assert not tree_base.is_as_listed({**value, field: other}, facts, reader)
