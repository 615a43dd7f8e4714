"""What a tree export holds, by path."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TypeAlias

from runner.repository import exports, failures, reader, tree_entries, tree_entry

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
    depth = len(top)
    is_found = not top
    with contextlib.closing(walk(chunks, manifest)) as listed:
        for path, entry in listed:
            beginning = path[:depth]
            if beginning > top:
                break
            if beginning == top:
                is_found = True
                yield path, entry
    if not is_found:
        raise failures.PathMissing(
            f'there is nothing at "{tree_entry.show(top)}" in the export {manifest.export}',
            hint="list what is there with `runner repository ls POINT EXPORT`",
        )


def find(chunks: reader.Reader, manifest: exports.Manifest, path: tree_entry.NamePath) -> tree_entry.Entry:
    """Return the entry at a path; a further name of a file leads to the file.

    Raises:
        PathMissing: If there is nothing at the path.
    """
    entry = _first(chunks, manifest, path)
    if entry.kind is not tree_entry.Kind.LINK:
        return entry
    linked = _first(chunks, manifest, entry.link)
    if linked.kind is tree_entry.Kind.LINK:
        raise failures.damaged(f"the export {manifest.export}", "a name leads to a name that leads elsewhere")
    return linked


def _first(chunks: reader.Reader, manifest: exports.Manifest, path: tree_entry.NamePath) -> tree_entry.Entry:
    with contextlib.closing(at(chunks, manifest, path)) as found:
        return next(found)[1]
