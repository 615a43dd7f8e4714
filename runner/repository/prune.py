"""Free the space of what no restore point needs: mark what is reachable, pack anew, remove the rest."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from runner.base import cancel as cancels
from runner.base import ids
from runner.registry import location as locations
from runner.repository import (
    config,
    crypto,
    deletions,
    exports,
    failures,
    keyslots,
    locks,
    marks,
    packing,
    packs,
    pending,
    records,
    repository,
    segments,
)
from runner.repository import index as indexes

UNFINISHED = timedelta(hours=24)
_SEGMENT_RECORDS = 262_144
_LEAST_GAIN = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult:
    """What pruning did, or would do.

    Attributes:
        exports_removed: Exports that belonged to no restore point any more.
        packs_locked: Packs among those kept that nothing needs, but whose retention has not ended.
        bytes_freed: By how much the packs became smaller together.
    """

    exports_kept: int
    exports_removed: int
    packs_kept: int
    packs_rewritten: int
    packs_removed: int
    packs_locked: int
    bytes_freed: int


@dataclass(slots=True)
class _Pack:
    size: int
    live: int = 0


@dataclass(slots=True)
class _Plan:
    kept: int = 0
    removed: int = 0
    records: int = 0
    dead_records: int = 0
    locked: int = 0
    rewrite: set[bytes] = field(default_factory=set)
    remove: set[bytes] = field(default_factory=set)


def prune(
    repo: repository.Repository,
    *,
    unfinished: timedelta = UNFINISHED,
    dry_run: bool = False,
    cancel: cancels.CancelToken | None = None,
) -> PruneResult:
    """Remove what nobody needs. It may be interrupted at any moment without harm, and be run again.

    Args:
        repo: The repository.
        unfinished: Exports younger than this are kept even without a restore point: theirs may still come. Those of
            runs that have not ended are kept in any case.
        dry_run: Whether to change nothing.
        cancel: Says when to give up.

    Raises:
        RepositoryLocked: While somebody else uses the repository.
        RepositoryDamaged: If something that is needed is damaged; nothing was changed then.
    """
    with repo.lock(exclusive=True) as lock:
        return _Prune(repo, lock, cancel or cancels.CancelToken()).run(unfinished, dry_run=dry_run)


class _Prune:
    def __init__(self, repo: repository.Repository, lock: locks.Lock, cancel: cancels.CancelToken) -> None:
        self._repo = repo
        self._lock = lock
        self._cancel = cancel
        self._plan = _Plan()
        self._packs: dict[bytes, _Pack] = {}
        self._segments: tuple[segments.Segment, ...] = ()
        self._reached = marks.Marks(repo.index)
        self._unwanted: list[tuple[ids.ExportId, records.Record]] = []
        self._awaited: set[ids.ExportId] = set()

    def run(self, unfinished: timedelta, *, dry_run: bool) -> PruneResult:
        plan = self._plan
        self._repo.index.refresh()
        self._segments = self._repo.index.parts
        self._packs = dict(self._list_packs())
        self._mark(unfinished)
        self._choose()
        self._spare_locked()
        freed = sum(self._packs[salt].size for salt in plan.remove | plan.rewrite)
        freed -= sum(self._packs[salt].live for salt in plan.rewrite)
        if not dry_run:
            self._execute()
        return PruneResult(
            exports_kept=plan.kept,
            exports_removed=plan.removed,
            packs_kept=len(self._packs) - len(plan.rewrite) - len(plan.remove),
            packs_rewritten=len(plan.rewrite),
            packs_removed=len(plan.remove),
            packs_locked=plan.locked,
            bytes_freed=freed,
        )

    def _list_packs(self) -> Iterator[tuple[bytes, _Pack]]:
        for info in self._repo.location.list(packs.PREFIX):
            salt = records.salt_of(info.name)
            if salt is not None:
                yield salt, _Pack(size=info.size)

    def _records(self) -> Iterator[indexes.Place]:
        for segment in self._segments:
            self._cancel.raise_if_cancelled()
            self._lock.confirm_if_due()
            for number, record in enumerate(segment):
                yield indexes.Place(segment.name, number, record)

    def _mark(self, unfinished: timedelta) -> None:
        needed = {reference.export for point in self._repo.points() for reference in point.exports}
        missing = set(needed)
        self._awaited = pending.valid(self._repo.location, self._lock.stored_at()) - needed
        youngest = self._repo.clock.now() - unfinished
        chunks = self._repo.reader()
        for place in self._records():
            if place.record.kind != crypto.Kind.MANIFEST:
                continue
            manifest = exports.decode(place.record.id, chunks.open_record(place.record))
            if self._repo.is_deleted(place.record):
                self._plan.removed += 1
                continue
            if manifest.export not in needed | self._awaited and manifest.created <= youngest:
                self._plan.removed += 1
                self._unwanted.append((manifest.export, place.record))
                continue
            missing.discard(manifest.export)
            self._plan.kept += 1
            self._reached.set(place)
            for _ in self._reached.walk(manifest, chunks, self._cancel, _refuse):
                self._lock.confirm_if_due()
        if missing:
            raise failures.damaged("index/", f"the export {min(missing)} of a restore point is missing")

    def _choose(self) -> None:
        plan = self._plan
        for place in self._records():
            plan.records += 1
            pack = self._packs.get(place.record.pack)
            if not self._reached.is_set(place.segment, place.number):
                plan.dead_records += 1
            elif pack is None:
                raise failures.damaged(records.pack_name(place.record.pack), "it is missing")
            else:
                pack.live += place.record.stored
        plan.remove = {salt for salt, pack in self._packs.items() if pack.live == 0}
        plan.rewrite = {salt for salt, pack in self._packs.items() if 0 < pack.live * 2 < pack.size}
        # A pack of a few chunks is mostly directory; packing it anew alone gains nothing.
        plan.rewrite = {salt for salt in plan.rewrite if self._packs[salt].size - self._packs[salt].live > _LEAST_GAIN}

    def _spare_locked(self) -> None:
        """Leave the packs that the location would not let go; a later pruning comes for them."""
        place = self._repo.location
        if not isinstance(place, locations.Retaining):
            return
        chosen = self._plan.remove | self._plan.rewrite
        locked = {salt for salt in chosen if place.locked_until(records.pack_name(salt)) is not None}
        self._plan.locked = len(locked & self._plan.remove)
        self._plan.remove -= locked
        self._plan.rewrite -= locked

    def _extend(self) -> None:
        """Lock what restore points use for as long as what is stored now."""
        place = self._repo.location
        if not isinstance(place, locations.Retaining):
            return
        used = [records.pack_name(salt) for salt, pack in self._packs.items() if pack.live]
        gone = {records.pack_name(salt) for salt in self._plan.rewrite}
        slots = [info.name for info in place.list(keyslots.PREFIX)]
        for name in (config.NAME, *slots, *(name for name in used if name not in gone)):
            self._lock.confirm_if_due()
            place.extend(name)

    def _execute(self) -> None:
        plan = self._plan
        self._hide()
        fewest = -(-plan.records // _SEGMENT_RECORDS)
        if plan.dead_records or plan.rewrite or len(self._segments) > fewest:
            moved = self._rewrite()
            self._write_segments(moved)
            self._lock.confirm()
            for segment in self._segments:
                self._repo.location.delete(segments.PREFIX + segment.name)
            self._repo.index.refresh()
        self._lock.confirm()
        for salt in plan.remove | plan.rewrite:
            self._repo.location.delete(records.pack_name(salt))
        for info in list(self._repo.location.list(deletions.PREFIX)):
            self._repo.location.delete(info.name)
        pending.delete_all(self._repo.location, but=self._awaited)
        self._extend()
        self._repo.location.sweep()

    def _hide(self) -> None:
        """Hide what nobody wants: interrupted from here on, no export is found of which a part is gone."""
        for export, record in self._unwanted:
            self._lock.confirm_if_due()
            deletions.add(
                self._repo.location, self._repo.keys, export, [(record.pack, record.ordinal)], self._repo.random
            )

    def _rewrite(self) -> dict[bytes, Sequence[bytes]]:
        """Pack the live chunks of some packs anew; return the entries of the new packs."""
        moved: dict[bytes, Sequence[bytes]] = {}
        live: dict[bytes, list[records.Record]] = {salt: [] for salt in self._plan.rewrite}
        for place in self._live():
            if place.record.pack in live:
                live[place.record.pack].append(place.record)
        packer = packing.Packer(self._repo.location, self._repo.keys, self._repo.random, moved.__setitem__)
        chunks = self._repo.reader()
        try:
            for found in live.values():
                self._cancel.raise_if_cancelled()
                self._lock.confirm_if_due()
                for number, data in chunks.fetch_records(found, decompress=False):
                    record = found[number]
                    kind = crypto.Kind(record.kind)
                    packer.add(
                        [packs.Piece(id=record.id, kind=kind, codec=record.codec, plain=record.plain, data=data)]
                    )
            packer.flush()
        finally:
            packer.shutdown()
        return moved

    def _live(self) -> Iterator[indexes.Place]:
        return (place for place in self._records() if self._reached.is_set(place.segment, place.number))

    def _write_segments(self, moved: Mapping[bytes, Sequence[bytes]]) -> None:
        kept = (
            (place.record.pack, place.record.entry())
            for place in self._live()
            if place.record.pack not in self._plan.rewrite
        )
        new = ((salt, entry) for salt, entries in moved.items() for entry in entries)
        rows = itertools.chain(kept, new)
        while batch := list(itertools.islice(rows, _SEGMENT_RECORDS)):
            by_pack: defaultdict[bytes, list[bytes]] = defaultdict(list)
            for salt, entry in batch:
                by_pack[salt].append(entry)
            self._lock.confirm_if_due()
            segments.write(self._repo.location, self._repo.keys, by_pack, self._repo.random)


def _refuse(problem: failures.RepositoryDamaged) -> None:
    raise problem
