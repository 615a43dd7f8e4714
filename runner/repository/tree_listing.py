"""What a tree export holds, by path."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import TypeAlias

from runner.repository import exports, failures, reader, tree_base, tree_entries, tree_entry, tree_page

Listed: TypeAlias = "tuple[tree_entry.NamePath, tree_entry.Entry]"


def walk(chunks: reader.Reader, manifest: exports.Manifest) -> Generator[Listed, None, None]:
    """Yield all entries with their paths: a directory before what is in it, names in the order of their bytes.

    Raises:
        PermanentError: RT417 if the export is not one of a tree.
        RepositoryDamaged: If something of the list is missing or not what was written.
    """
    path: tree_entry.NamePath = ()
    for entry in tree_entries.read(chunks, manifest):
        path = (*path[: entry.depth], entry.name)
        yield path, entry


def at(chunks: reader.Reader, manifest: exports.Manifest, top: tree_entry.NamePath) -> Generator[Listed, None, None]:
    """Yield the entry at a path and everything below it; the list is read no further than that.

    Args:
        chunks: Reads the list.
        manifest: The export.
        top: The path; an empty one stands for the whole tree.

    Raises:
        PathMissing: If there is nothing at the path.
    """
    if not top:
        yield from walk(chunks, manifest)
        return
    with contextlib.closing(_pages(chunks, manifest)) as pages:
        page, number = _place(pages, manifest, top)
        yield top, page.entry(number)
        path = top
        for entry in _behind(page, number, pages):
            if entry.depth < len(top):
                return
            path = (*path[: entry.depth], entry.name)
            yield path, entry


def find(chunks: reader.Reader, manifest: exports.Manifest, path: tree_entry.NamePath) -> tree_entry.Entry:
    """Return the entry at a path; a further name of a file leads to the file.

    Raises:
        PathMissing: If there is nothing at the path.
    """
    entry = _entry(chunks, manifest, path)
    if entry.kind is not tree_entry.Kind.LINK:
        return entry
    linked = _entry(chunks, manifest, entry.link)
    if linked.kind is tree_entry.Kind.LINK:
        raise failures.damaged(f"the export {manifest.export}", "a name leads to a name that leads elsewhere")
    return linked


def _entry(chunks: reader.Reader, manifest: exports.Manifest, path: tree_entry.NamePath) -> tree_entry.Entry:
    with contextlib.closing(_pages(chunks, manifest)) as pages:
        page, number = _place(pages, manifest, path)
        return page.entry(number)


def _pages(chunks: reader.Reader, manifest: exports.Manifest) -> Generator[tree_page.Page, None, None]:
    return tree_base.pages(chunks, tree_entries.nodes_of(manifest))


def _place(pages: Iterator[tree_page.Page], manifest: exports.Manifest, path: tree_entry.NamePath) -> tree_base.Place:
    """Find a path; of the entries before it only depths and names are looked at."""
    listed = tree_base.BaseEntries(pages)
    place = None
    for depth, name in enumerate(path):
        place = listed.find(depth, name)
        if place is None:
            break
    if place is None:
        raise failures.PathMissing(
            f'there is nothing at "{tree_entry.show(path)}" in the export {manifest.export}',
            hint="list what is there with `runner repository ls POINT EXPORT`",
        )
    return place


def _behind(page: tree_page.Page, number: int, pages: Iterator[tree_page.Page]) -> Iterator[tree_entry.Entry]:
    yield from map(page.entry, range(number + 1, page.rows))
    for following in pages:
        yield from following.entries()
