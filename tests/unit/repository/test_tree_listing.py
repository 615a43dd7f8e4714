"""Paths in the list of a tree: each is found, no other is, and what stands before it is only looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeAlias, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base import ids
from runner.repository import exports, failures, reader, tree_entry, tree_listing, tree_page
from runner.repository.tree_entry import Kind
from tests.unit.repository import chunk_shelf, test_tree_base
from tests.unit.repository.tree_samples import entry

Tree: TypeAlias = "dict[bytes, Tree | None]"

NAMES = st.sampled_from([b"a", b"a.b", b"b", b"c", b"\xff"])
TREES = st.dictionaries(
    NAMES, st.recursive(st.none(), lambda inside: st.dictionaries(NAMES, inside, max_size=5), max_leaves=30)
)


def paths_of(tree: Tree, above: tree_entry.NamePath = ()) -> Iterator[tuple[tree_entry.NamePath, Kind]]:
    for name, inside in sorted(tree.items()):
        yield (*above, name), Kind.FIFO if inside is None else Kind.DIRECTORY
        yield from paths_of(inside or {}, (*above, name))


def listed(entries: list[tree_entry.Entry]) -> tuple[reader.Reader, exports.Manifest]:
    shelf = chunk_shelf.Shelf()
    sequence = test_tree_base.write(shelf, entries)
    manifest = exports.Manifest(
        export=ids.ExportId("export"),
        kind="tree",
        source="files",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        token="token",
        bytes_read=0,
        bytes_new=0,
        bytes_stored=0,
        roots=sequence.ids,
        body={"entries": sequence.to_cbor(), "names": []},
    )
    return cast(reader.Reader, shelf), manifest


@settings(max_examples=40)
@given(tree=TREES)
def test_every_path_is_found_with_what_is_below_it_and_no_other(tree: Tree) -> None:
    known = dict(paths_of(tree))
    where = listed([entry(len(path) - 1, path[-1], kind) for path, kind in known.items()])
    for path, kind in known.items():
        assert tree_listing.find(*where, path).kind is kind
        below = [found for found, _ in tree_listing.at(*where, path)]
        assert below == [each for each in known if each[: len(path)] == path]
    possible = {(*above, name) for above in [(), *known] for name in (b"0", b"a", b"a.a", b"a.b", b"b", b"c", b"z")}
    for absent in possible - known.keys():
        with pytest.raises(failures.PathMissing):
            tree_listing.find(*where, absent)


def test_entries_before_a_path_are_not_read_as_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    where = listed(test_tree_base.many(5_000))
    read: list[int] = []
    original = tree_page.Page.entry

    def counted(page: tree_page.Page, number: int) -> tree_entry.Entry:
        read.append(number)
        return original(page, number)

    monkeypatch.setattr(tree_page.Page, "entry", counted)
    assert tree_listing.find(*where, (b"root", b"file 004990")).kind is Kind.FILE
    assert len(read) == 1
    assert len(list(tree_listing.at(*where, (b"root", b"file 004990")))) == 1
    assert len(read) == 3
