"""Which chunks are still there, and what of an export is gone when some are not."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from enum import StrEnum

import msgspec

from runner.base import cancel as cancels
from runner.base import errors
from runner.model.restore_point import PointExport, RestorePoint
from runner.repository import (
    deletions,
    exports,
    failures,
    marks,
    repository,
    sequences,
    streams,
    tree_entries,
    tree_entry,
    volume_map,
    volumes,
)

# So many losses of one export are named; more of them are only counted.
_NAMED = 100
_UNKNOWN = b"?"


class Condition(StrEnum):
    """How much can be restored."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    LOST = "lost"


class ExportCondition(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one export can be restored.

    Attributes:
        phase: The phase of the restore point that made it, with its key where there is one.
        lost: What is gone: paths of files, ranges of bytes; the first of them.
        lost_count: How many there are.
    """

    phase: str
    export: str
    kind: str
    condition: Condition
    lost: tuple[str, ...] = ()
    lost_count: int = 0


class PointCondition(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one restore point can be restored.

    Attributes:
        exports: Those that are not complete.
    """

    restore_point: str
    condition: Condition
    exports: tuple[ExportCondition, ...] = ()


class Remains(msgspec.Struct, frozen=True, kw_only=True):
    """What a repository still has.

    Attributes:
        repo: The repository, with an index of what can be read of it.
        packs: The packs that are there, and how long they are.
        damaged: Places of chunks that cannot be read, as far as they were tried.
    """

    repo: repository.Repository
    packs: Mapping[bytes, int]
    damaged: Container[deletions.Place] = msgspec.field(default_factory=frozenset)

    def has(self, chunk: bytes) -> bool:
        """Tell whether a chunk is somewhere."""
        return any(
            record.offset + record.stored <= self.packs.get(record.pack, 0)
            and (record.pack, record.ordinal) not in self.damaged
            for record in self.repo.index.find_all(chunk)
        )

    def assess(self, point: RestorePoint, cancel: cancels.CancelToken) -> PointCondition:
        """Find out how much of a restore point can be restored."""
        found = [self._assess_export(reference, cancel) for reference in point.exports]
        conditions = {each.condition for each in found}
        if conditions <= {Condition.COMPLETE}:
            condition = Condition.COMPLETE
        else:
            condition = Condition.LOST if conditions == {Condition.LOST} else Condition.PARTIAL
        kept = tuple(each for each in found if each.condition is not Condition.COMPLETE)
        return PointCondition(restore_point=point.id, condition=condition, exports=kept)

    def reaches_all(self, manifest: exports.Manifest, cancel: cancels.CancelToken) -> bool:
        """Tell whether everything is there that a manifest reaches."""
        problems: list[errors.RunnerError] = []
        walk = marks.Marks(self.repo.index).walk(manifest, self.repo.reader(), cancel, problems.append)
        return all(self.has(record.id) for record in walk) and not problems

    def _assess_export(self, reference: PointExport, cancel: cancels.CancelToken) -> ExportCondition:
        try:
            manifest = self.repo.manifest(reference.export)
        except (failures.ExportMissing, failures.RepositoryDamaged):
            return _condition(reference, Condition.LOST, _Gone())
        if self.reaches_all(manifest, cancel):
            return _condition(reference, Condition.COMPLETE, _Gone())
        losses = _Gone()
        _LossFinder(self, manifest, losses).run()
        return _condition(reference, Condition.PARTIAL if losses.kept else Condition.LOST, losses)


class _Gone(msgspec.Struct):
    """What is gone, in order; ranges that touch become one.

    Attributes:
        kept: Whether something is left.
    """

    names: list[str] = msgspec.field(default_factory=list)
    count: int = 0
    kept: bool = False
    end: int = -1

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.names) < _NAMED:
            self.names.append(name)

    def add_range(self, start: int, end: int) -> None:
        if self.end == start and self.names and self.count <= _NAMED:
            first = self.names.pop().split()[1]
            self.count -= 1
            start = int(first)
        self.add(f"bytes {start} to {end}")
        self.end = end


def _condition(reference: PointExport, condition: Condition, losses: _Gone) -> ExportCondition:
    phase = f"{reference.phase}[{reference.key}]" if reference.key else reference.phase
    return ExportCondition(
        phase=phase,
        export=reference.export,
        kind=reference.kind,
        condition=condition,
        lost=tuple(losses.names),
        lost_count=losses.count,
    )


class _LossFinder:
    def __init__(self, remains: Remains, manifest: exports.Manifest, losses: _Gone) -> None:
        self._remains = remains
        self._manifest = manifest
        self._losses = losses
        self._chunks = remains.repo.reader()
        self._kinds: dict[str, Callable[[], None]] = {
            volumes.KIND: self._volume,
            tree_entries.KIND: self._tree,
            streams.KIND: self._stream,
        }

    def run(self) -> None:
        """Collect what is gone."""
        try:
            self._kinds.get(self._manifest.kind, lambda: None)()
        except failures.RepositoryDamaged:
            # It has not the form of its kind, so nobody can say what is where.
            self._losses.add("a part that cannot be named")

    def _content(self, chunk: bytes) -> bytes | None:
        if not self._remains.has(chunk):
            return None
        try:
            return self._chunks.chunk(chunk)
        except failures.RepositoryDamaged:
            return None

    # Volumes: a map of pages.

    def _volume(self) -> None:
        root = volume_map.VolumeRoot.of(self._manifest)
        self._subtree(root, root.level, 0, root.root)

    def _subtree(self, root: volume_map.VolumeRoot, level: int, number: int, chunk: bytes) -> None:
        width = volume_map.span(level) * volume_map.CHUNK
        start = number * width
        if chunk == volume_map.HOLE or start >= root.size_bytes:
            return
        page = self._content(chunk) if level else None
        if page is None:
            if level == 0 and self._remains.has(chunk):
                self._losses.kept = True
            else:
                self._losses.add_range(start, min(start + width, root.size_bytes))
            return
        for child in range(volume_map.FANOUT):
            below = page[child * volume_map.ID_SIZE : (child + 1) * volume_map.ID_SIZE]
            self._subtree(root, level - 1, number * volume_map.FANOUT + child, below)

    # Trees and streams: sequences.

    def _stream(self) -> None:
        content = sequences.from_cbor(self._manifest.body.get("content"), iter(self._manifest.roots))
        position = 0
        for chunk, length in self._items(content):
            if chunk is not None and not self._remains.has(chunk):
                self._losses.add_range(position, position + length)
            elif length:
                self._losses.kept = True
            position += length

    def _items(self, sequence: sequences.ChunkSequence) -> Iterator[sequences.Item]:
        """Yield chunks and holes; for a page that is gone, its id with the length of all that it stood for."""
        for item in sequence.items:
            chunk = item[0]
            page = self._content(chunk) if sequence.level and chunk is not None else None
            if page is None:
                yield item
            else:
                yield from self._items(sequences.page(page, sequence.level - 1))

    def _tree(self) -> None:
        path: tree_entry.NamePath = ()
        for chunk, _ in self._items(tree_entries.nodes_of(self._manifest)):
            node = None if chunk is None else self._content(chunk)
            if node is None:
                self._losses.add(f"a part of the list of files behind {tree_entry.show(path) or 'its beginning'}")
                path = (_UNKNOWN,) * len(path)
                continue
            for entry in tree_entries.entries_of(node):
                path = (*path[: entry.depth], *(_UNKNOWN,) * (entry.depth - len(path)), entry.name)
                self._file(path, entry)

    def _file(self, path: tree_entry.NamePath, entry: tree_entry.Entry) -> None:
        chunks = () if entry.content is None else (chunk for chunk, _ in self._items(entry.content))
        if all(chunk is None or self._remains.has(chunk) for chunk in chunks):
            self._losses.kept = True
        else:
            self._losses.add(tree_entry.show(path))
