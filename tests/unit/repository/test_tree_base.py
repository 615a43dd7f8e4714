"""The list of a base beside a walk: what is found, what is compared, and what is kept as it is stored."""

from __future__ import annotations

import itertools
import os
import stat
from pathlib import Path
from typing import cast

import pytest
from msgspec import structs

from runner.repository import sequences, tree_base, tree_entries, tree_entry, tree_metadata, tree_page
from runner.repository.tree_entry import Facts, Kind
from tests.unit.repository import chunk_shelf
from tests.unit.repository.tree_samples import entry

KEY = bytes(32)


def write(shelf: chunk_shelf.Shelf, entries: list[tree_entry.Entry], key: bytes = KEY) -> sequences.ChunkSequence:
    writer = tree_entries.EntryWriter(shelf, key)
    for each in entries:
        writer.append(each)
    return writer.finish()


def file_with_content(number: int, name: bytes) -> tree_entry.Entry:
    content = sequences.ChunkSequence(level=0, items=((number.to_bytes(32, "big"), 5), (None, 7)))
    return structs.replace(entry(1, name, Kind.FILE), content=content, hash=number.to_bytes(32, "big"))


def many(count: int) -> list[tree_entry.Entry]:
    files = [file_with_content(number, b"file %06d" % number) for number in range(count)]
    return [entry(0, b"root", Kind.DIRECTORY), *files]


def page_of(entries: list[tree_entry.Entry]) -> tree_page.Page:
    draft = tree_page.Draft()
    for each in entries:
        draft.add(tree_entry.encode(each, each.content), () if each.content is None else each.content.ids)
    return tree_page.Page(draft.encode(), b"id")


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
        assert (found and found[0].entry(found[1])) == old


def with_large_attributes(entries: list[tree_entry.Entry]) -> list[tree_entry.Entry]:
    """The same with so large attributes now and then that a page ends before its entries say so."""
    large = tree_entry.Metadata(mode=0o644, uid=0, gid=0, mtime=1, xattrs={b"user.large": bytes(30_000)})
    return [structs.replace(each, metadata=large) if number % 3 else each for number, each in enumerate(entries)]


@pytest.mark.parametrize("key", [bytes(32), bytes(31) + b"\1", bytes(31) + b"\2", bytes(31) + b"\3"])
@pytest.mark.parametrize("entries", [many(1000), with_large_attributes(many(60))], ids=["small", "large"])
def test_kept_pages_are_taken_over_and_what_is_kept_of_others_is_written_as_it_was(
    entries: list[tree_entry.Entry], key: bytes
) -> None:
    """Whatever is kept, dropped and added, the list is the one that would be written without a base."""
    shelf = chunk_shelf.Shelf()
    pages = list(tree_base.pages(shelf, write(shelf, entries, key)))
    assert len(pages) > 4
    places = [(page, number) for page in pages for number in range(page.rows)]
    first, last = pages[0].rows, pages[0].rows + pages[1].rows - 1
    for dropped, added in itertools.product((None, 0, 5, first, first + 2, last), repeat=2):
        writer, anew = tree_entries.EntryWriter(shelf, key), chunk_shelf.Shelf()
        expected = []
        for index, place in enumerate(places):
            if index != dropped:
                writer.keep(place)
                expected.append(entries[index])
            if index == added:
                writer.append(file_with_content(7, entries[index].name + b"+"))
                expected.append(file_with_content(7, entries[index].name + b"+"))
        assert writer.finish() == write(anew, expected, key)
        assert set(anew.held) <= set(shelf.held)


def test_a_kept_page_is_not_stored_again() -> None:
    shelf, other = chunk_shelf.Shelf(), chunk_shelf.Shelf()
    top = write(shelf, many(1000))
    writer = tree_entries.EntryWriter(other, KEY)
    pages = list(tree_base.pages(shelf, top))
    for page in pages:
        for number in range(page.rows):
            writer.keep((page, number))
    assert writer.finish() == top
    assert not {page.id for page in pages} & set(other.held)


def listed(facts: os.stat_result) -> Facts:
    """What a page says of a file that was as it is now."""
    made = tree_entry.Entry(
        depth=1,
        name=b"file",
        kind=Kind.FILE,
        metadata=tree_metadata.MetadataReader().read(b"/", facts),
        size=facts.st_size,
        content=sequences.ChunkSequence(level=0, items=()),
        ctime=facts.st_ctime_ns,
        inode=facts.st_ino,
    )
    return page_of([made]).facts[0]


@pytest.fixture
def facts(tmp_path: Path) -> os.stat_result:
    (tmp_path / "file").write_bytes(b"content")
    return (tmp_path / "file").lstat()


def now(facts: os.stat_result) -> Facts:
    return tree_base.facts_of(facts, tree_metadata.MetadataReader().owner(facts))


def other(old: Facts, name: str) -> Facts:
    """The facts with one of them changed."""
    number = tree_entry.FACTS.index(name)
    value = old[number]
    changed = f"{value}x" if isinstance(value, str) else value + 1
    return cast("Facts", (*old[:number], changed, *old[number + 1 :]))


@pytest.mark.parametrize("name", tree_entry.FACTS)
def test_a_file_with_another_time_inode_or_size_is_read(facts: os.stat_result, name: str) -> None:
    old = listed(facts)
    assert old == now(facts)
    assert tree_base.has_same_content(old, now(facts))
    is_content = name in ("ctime", "inode", "mtime", "size")
    assert tree_base.has_same_content(other(old, name), now(facts)) is not is_content
    assert other(old, name) != now(facts)


def test_a_time_that_cannot_tell_and_what_is_no_file_are_no_proof(facts: os.stat_result) -> None:
    old = listed(facts)
    silent = (0, *old[1:])
    assert not tree_base.has_same_content(silent, silent)
    fifo = (*old[:4], stat.S_IFIFO | 0o644, *old[5:])
    assert not tree_base.has_same_content(fifo, fifo)
