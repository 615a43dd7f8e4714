"""Look into restore points: paths as people write them, listings, and the bytes at a path.

A path begins with the name of an export (`PHASE`, or `PHASE/KEY` within a `foreach`); within a tree, names follow.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property

import msgspec
from msgspec import structs

from runner.base import clock, ids, suggest
from runner.base.jsonvalue import JsonObject
from runner.model.restore_point import PointExport, RestorePoint
from runner.repository import exports, failures, ranges, reader, tree_entries, tree_entry, tree_listing
from runner.repository import repository as repositories
from runner.repository.tree_entry import Kind

_ARTICLES = {Kind.DIRECTORY: "a directory", Kind.SYMLINK: "a symbolic link"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Spot(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a path leads to: an export, or something in an export that is a tree.

    Attributes:
        path: Names within the tree; empty for the export itself.
    """

    repository: repositories.Repository
    export: PointExport
    path: tree_entry.NamePath

    @cached_property
    def manifest(self) -> exports.Manifest:
        """The head of the export."""
        return self.repository.manifest(ids.ExportId(self.export.export))

    @property
    def is_tree(self) -> bool:
        """Whether the export is a tree of files."""
        return self.export.kind == tree_entries.KIND

    def __str__(self) -> str:
        return "/".join(filter(None, [self.export.name, tree_entry.show(self.path)]))


def locate(repository: repositories.Repository, point: RestorePoint, text: str) -> Spot:
    """Find out which export a path means.

    Raises:
        PathMissing: If the restore point has no such export, or the path goes on behind one that is no tree.
    """
    parts = [part for part in text.split("/") if part not in ("", ".")]
    for export in point.exports:
        name = export.name.split("/")
        if parts[: len(name)] == name:
            rest = parts[len(name) :]
            if rest and export.kind != tree_entries.KIND:
                raise failures.PathMissing(
                    f"{export.name} is a {export.kind}, there is nothing below it", hint=f"name {export.name} alone"
                )
            return Spot(repository=repository, export=export, path=tuple(map(os.fsencode, rest)))
    names = [export.name for export in point.exports]
    has_keys = any(name.startswith(f"{parts[0]}/") for name in names) if parts else False
    asked = "/".join(parts[:2] if has_keys else parts[:1])
    raise failures.PathMissing(
        f'the restore point has no export "{asked}"', hint=suggest.hint(asked, names, kind="export")
    )


def content(spot: Spot, chunks: reader.Reader) -> ranges.Content:
    """Return the bytes of a volume, a stream or a file.

    Raises:
        PathMissing: If there is nothing at the path, or something that has no bytes.
    """
    if not spot.is_tree:
        return ranges.of_export(spot.manifest, chunks)
    if not spot.path:
        raise failures.PathMissing(
            f"{spot} is a tree of files, not a file", hint=f"see `runner repository ls POINT {spot}`, and name a file"
        )
    with _explained(spot):
        entry = tree_listing.find(chunks, spot.manifest, spot.path)
    if entry.content is None:
        leads = f"; it says {tree_entry.show((entry.target,))}" if entry.kind is Kind.SYMLINK else ""
        raise failures.PathMissing(
            f"{spot} is {_ARTICLES.get(entry.kind, 'a special file')}, not a file{leads}", hint="name a file"
        )
    return ranges.SequenceContent(entry.content, chunks)


def children(spot: Spot, *, recursive: bool) -> Iterator[tree_listing.Listed]:
    """Yield what is in a tree or directory, or the entry itself if it is something else; all below if `recursive`.

    Raises:
        PathMissing: If there is nothing at the path.
    """
    depth = len(spot.path)
    with _explained(spot):
        for path, entry in tree_listing.at(spot.repository.reader(), spot.manifest, spot.path):
            is_itself = len(path) == depth
            if (is_itself and entry.kind is not Kind.DIRECTORY) or (
                not is_itself and (recursive or len(path) == depth + 1)
            ):
                yield path, entry


@contextlib.contextmanager
def _explained(spot: Spot) -> Iterator[None]:
    """Say of a path that leads nowhere which one was probably meant."""
    try:
        yield
    except failures.PathMissing as problem:
        above = structs.replace(spot, path=spot.path[:-1])
        try:
            names = [tree_entry.show((path[-1],)) for path, _ in children(above, recursive=False)]
        except failures.PathMissing as missing:
            raise missing from problem
        hint = suggest.hint(tree_entry.show(spot.path[-1:]), names)
        raise failures.PathMissing(f"there is nothing at {spot}", hint=hint or f"{above} is empty") from problem


def export_row(repository: repositories.Repository, export: PointExport) -> JsonObject:
    """Describe an export as a row of a listing."""
    manifest = repository.manifest(ids.ExportId(export.export))
    return {
        "path": export.name,
        "type": export.kind,
        "size": exports.size_of(manifest),
        "files": _number(manifest.facts.get("files")) if export.kind == tree_entries.KIND else None,
        "source": export.source,
        "export": export.export,
    }


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def entry_row(spot: Spot, path: tree_entry.NamePath, entry: tree_entry.Entry) -> JsonObject:
    """Describe an entry of a tree as a row of a listing; a name that is no text has its odd bytes as surrogates."""
    metadata = entry.metadata
    target = entry.target or b"/".join(entry.link)
    return {
        "path": f"{spot.export.name}/{os.fsdecode(b'/'.join(path))}",
        "type": entry.kind.value,
        "size": entry.size if entry.kind is Kind.FILE else None,
        "mode": None if metadata is None else f"{metadata.mode:04o}",
        "owner": None if metadata is None else metadata.user or str(metadata.uid),
        "group": None if metadata is None else metadata.group or str(metadata.gid),
        "modified": None if metadata is None else clock.isoformat(moment(metadata.mtime)),
        "target": os.fsdecode(target) if target else None,
    }


def moment(nanoseconds: int) -> datetime:
    """Return the moment of a time of a file; one that no calendar has becomes the closest that it has."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return (datetime.max if nanoseconds > 0 else datetime.min).replace(tzinfo=UTC)


def shown(path: str) -> str:
    """Write the path of a row for people: what is not printable text is escaped."""
    return tree_entry.show((path.encode("utf-8", "surrogateescape"),))
