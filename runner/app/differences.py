"""What differs between two restore points, as rows for people and programs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping

from runner.base import ids
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.model.restore_point import PointExport, RestorePoint
from runner.repository import (
    exports,
    reader,
    stream_diff,
    streams,
    tree_diff,
    tree_entries,
    tree_entry,
    volume_diff,
    volumes,
)
from runner.repository import repository as repositories


def rows(repository: repositories.Repository, older: RestorePoint, newer: RestorePoint) -> Iterator[JsonObject]:
    """Yield what differs, export by export; the last row of each export, also of an equal one, has its totals.

    Exports are the same when they have the same name. Equal parts of their lists are not read.

    Raises:
        RepositoryDamaged: If something of the lists is missing or not what was written.
    """
    before = {export.name: export for export in older.exports}
    after = {export.name: export for export in newer.exports}
    chunks = repository.reader()
    for name in dict.fromkeys([*before, *after]):
        yield from _Export(repository, chunks, name, before.get(name), after.get(name)).rows()


class _Export:
    """What differs in the exports of one name."""

    def __init__(
        self,
        repository: repositories.Repository,
        chunks: reader.Reader,
        name: str,
        before: PointExport | None,
        after: PointExport | None,
    ) -> None:
        self._chunks = chunks
        self._name = name
        self._before = None if before is None else repository.manifest(ids.ExportId(before.export))
        self._after = None if after is None else repository.manifest(ids.ExportId(after.export))
        self._count: Counter[str] = Counter()

    def rows(self) -> Iterator[JsonObject]:
        before, after = self._before, self._after
        if before is not None and after is not None and before.kind == after.kind:
            for row in self._differences(before, after):
                self._count[str(row["change"])] += 1
                yield row
        else:
            for change, manifest in (("removed", before), ("added", after)):
                if manifest is not None:
                    self._count[change] += 1
                    self._count["bytes"] += exports.size_of(manifest) if change == "added" else 0
                    yield self._row(change, manifest.kind, self._sizes(change))
        kind = (after or before or _nothing()).kind
        totals = {name: self._count[name] for name in ("added", "removed", "changed", "bytes")}
        yield self._row("total", kind, {**self._sizes("total"), **totals})

    def _row(self, change: str, kind: str, facts: JsonObject, path: str = "") -> JsonObject:
        return {"export": self._name, "change": change, "path": path or self._name, "type": kind, **facts}

    def _sizes(self, change: str) -> Mapping[str, JsonValue]:
        before, after = (None if each is None else exports.size_of(each) for each in (self._before, self._after))
        return {
            "sizeBefore": None if change == "added" else before,
            "sizeAfter": None if change == "removed" else after,
        }

    def _differences(self, before: exports.Manifest, after: exports.Manifest) -> Iterator[JsonObject]:
        if before.roots == after.roots and before.body == after.body:
            return
        match before.kind:
            case tree_entries.KIND:
                for change in tree_diff.changes(self._chunks, before, after):
                    yield self._entry(change)
            case volumes.KIND:
                yield from self._stretches(before, after)
            case streams.KIND if before.body.get("hash") != after.body.get("hash"):
                new = stream_diff.bytes_only_in(self._chunks, after, before)
                gone = stream_diff.bytes_only_in(self._chunks, before, after)
                self._count["bytes"] += new
                yield self._row("changed", before.kind, {**self._sizes("changed"), "bytesNew": new, "bytesGone": gone})

    def _entry(self, change: tree_diff.Change) -> JsonObject:
        before, after = change.before, change.after
        entry = after or before
        kind = "" if entry is None else entry.kind.value
        if after is not None and (before is None or {"content", "type"} & set(change.what)):
            self._count["bytes"] += after.size
        return self._row(
            "added" if before is None else "removed" if after is None else "changed",
            kind,
            {"sizeBefore": _size(before), "sizeAfter": _size(after), "what": list(change.what), **_modes(change)},
            f"{self._name}/{os.fsdecode(b'/'.join(change.path))}",
        )

    def _stretches(self, before: exports.Manifest, after: exports.Manifest) -> Iterator[JsonObject]:
        if exports.size_of(before) != exports.size_of(after):
            yield self._row("changed", before.kind, self._sizes("changed"))
        for stretch in volume_diff.stretches(self._chunks, before, after):
            self._count["bytes"] += stretch.length
            facts: JsonObject = {"offset": stretch.offset, "length": stretch.length, "what": [stretch.how.value]}
            yield self._row("changed", "extent", facts)


def _size(entry: tree_entry.Entry | None) -> int | None:
    return entry.size if entry is not None and entry.kind is tree_entry.Kind.FILE else None


def _modes(change: tree_diff.Change) -> Mapping[str, JsonValue]:
    """Say what the mode and the owner were and are, where they changed."""
    old, new = (None if each is None else each.metadata for each in (change.before, change.after))
    if old is None or new is None:
        return {}
    found: dict[str, JsonValue] = {}
    if "mode" in change.what:
        found |= {"modeBefore": f"{old.mode:04o}", "modeAfter": f"{new.mode:04o}"}
    if "owner" in change.what:
        found |= {"ownerBefore": _owner(old), "ownerAfter": _owner(new)}
    return found


def _owner(metadata: tree_entry.Metadata) -> str:
    return f"{metadata.user or metadata.uid}:{metadata.group or metadata.gid}"


def _nothing() -> exports.Manifest:
    raise AssertionError("an export is in one of the restore points")
