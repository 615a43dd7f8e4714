"""A page of the list of a tree: what it says is what was put in, and what is no page is damage."""

from __future__ import annotations

from typing import cast

import pytest

from runner.base import errors
from runner.repository import encoding, failures, nodes, sequences, tree_entry, tree_page
from runner.repository.tree_entry import Kind
from tests.unit.repository.tree_samples import entry

IDS = [number.to_bytes(32, "big") for number in range(3)]
FILES = [
    entry(1, b"a", Kind.FILE, content=sequences.ChunkSequence(level=0, items=((IDS[0], 5), (None, 7), (IDS[1], 9)))),
    entry(1, b"b", Kind.FILE),
    entry(1, b"c", Kind.FILE, content=sequences.ChunkSequence(level=1, items=((IDS[2], 70_000),))),
]


def draft_of(entries: list[tree_entry.Entry]) -> tree_page.Draft:
    draft = tree_page.Draft()
    for each in entries:
        draft.add(tree_entry.encode(each, each.content), () if each.content is None else each.content.ids)
    return draft


def table(**columns: object) -> dict[str, encoding.CborValue]:
    """The table of a page of two entries, some columns of which are others."""
    _, value = nodes.decode(draft_of([entry(0, b"root", Kind.DIRECTORY), FILES[1]]).encode())
    assert isinstance(value, dict)
    return value | columns


def test_a_page_holds_what_was_put_into_it() -> None:
    page = tree_page.Page(draft_of(FILES).encode())
    assert list(page.entries()) == FILES
    assert [page.ids(number, number + 1) for number in range(3)] == [IDS[:2], [], IDS[2:]]
    assert (page.names, page.depths, page.rows) == ([b"a", b"b", b"c"], [1, 1, 1], 3)


def test_entries_of_another_page_are_taken_over_with_their_ids() -> None:
    page = tree_page.Page(draft_of(FILES).encode())
    draft = tree_page.Draft()
    draft.extend(page, 2, 3)
    draft.extend(page, 0, 1)
    assert list(tree_page.Page(draft.encode()).entries()) == [FILES[2], FILES[0]]
    assert (draft.rows, draft.size) == (2, page.size(2, 3) + page.size(0, 1))


@pytest.mark.parametrize(
    "value",
    [
        [],
        7,
        {},
        {key: column for key, column in table().items() if key != "size"},
        table(more=[0, 0]),
        table(name=["root", b"a"]),
        table(depth=[0]),
        table(depth=[0, -1]),
        table(ids=[1, -1]),
        table(ids=[0, 1]),
        table(inode=[0, True]),
        table(mtime=0),
    ],
)
def test_what_is_no_table_is_damage(value: encoding.CborValue) -> None:
    with pytest.raises(failures.RepositoryDamaged):
        tree_page.Page(nodes.encode([], value))


def content(value: object) -> bytes:
    return encoding.encode({"content": cast("encoding.CborValue", value)})


@pytest.mark.parametrize(
    "column",
    [
        {"rest": [b"", b""]},
        {"rest": [encoding.encode({}), encoding.encode({})]},
        *[{"rest": [b"\xa0", content(value)]} for value in (None, [], [0, 7], [0, ["x"]], [0, [1]])],
        {"mode": [0o040755, 0o070644]},
    ],
)
def test_a_row_that_is_no_entry_is_damage(column: dict[str, object]) -> None:
    page = tree_page.Page(nodes.encode([], table(**column)))
    with pytest.raises(failures.RepositoryDamaged):
        list(page.entries())


def test_ids_that_the_content_does_not_take_are_damage() -> None:
    page = tree_page.Page(nodes.encode(IDS[:1], table(ids=[0, 1])))
    with pytest.raises(failures.RepositoryDamaged):
        page.entry(1)


def test_a_name_that_leads_elsewhere_is_refused() -> None:
    page = tree_page.Page(nodes.encode([], table(name=[b"root", b"../escaped"])))
    with pytest.raises(errors.PermanentError, match="leads out of its directory"):
        page.entry(1)
