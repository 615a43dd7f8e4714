"""Rebuild what can be rebuilt of a damaged repository: its index, from the directories of the packs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures

import msgspec

from runner.base import cancel as cancels
from runner.model.restore_point import RestorePoint
from runner.repository import (
    compaction,
    crypto,
    exports,
    failures,
    locks,
    losses,
    overlay,
    packs,
    pending,
    records,
    repository,
    segments,
    unnamed,
)
from runner.repository import index as indexes


class RepairResult(msgspec.Struct, frozen=True, kw_only=True):
    """What repairing did, or would do.

    Attributes:
        segments_replaced: Index segments that were damaged, or named packs that are gone.
        records_restored: Places of chunks that the index had lost.
        records_dropped: Places of chunks in packs that are gone.
        packs_missing: Packs that the index named and that are gone.
        packs_damaged: Packs whose directory cannot be read; what the index says of them is kept.
        marks_removed: Objects in `gc/` that could not be read; an export that was deleted may be there again. And the
            marks of exports of which something is gone, before a restore point could be made of them.
        points_damaged: Restore points that cannot be read.
        points: How much of each other restore point can be restored now, oldest first. What is within a chunk was
            not read.
    """

    segments_replaced: tuple[str, ...]
    records_restored: int
    records_dropped: int
    packs_missing: tuple[str, ...]
    packs_damaged: tuple[str, ...]
    marks_removed: tuple[str, ...]
    points_damaged: tuple[str, ...]
    points: tuple[losses.PointCondition, ...]


def repair(
    repo: repository.Repository,
    *,
    dry_run: bool = False,
    cancel: cancels.CancelToken | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> RepairResult:
    """Make the index say where everything is that is still there. No pack and no restore point is removed.

    Args:
        repo: The repository.
        dry_run: Whether to change nothing.
        cancel: Says when to give up.
        progress: Called with the number of packs done and of all.

    Raises:
        RepositoryLocked: While anybody else uses the repository.
    """
    with repo.lock(locks.Use.PRUNE) as lock:
        # Before the locks: whoever stored one of these packs has finished, or holds a lock.
        found = _list_packs(repo)
        locks.pause(repo.location, repo.clock)
        for holder in locks.look(repo.location, repo.keys, repo.random).holders:
            if holder.name != lock.name:
                raise failures.RepositoryLocked(
                    f"the repository at {repo.location.url} is in use: {holder}",
                    hint="a repair goes alone: wait until the other has finished, then run it again",
                )
        locks.pause(repo.location, repo.clock)
        place = overlay.Overlay(repo.location) if dry_run else repo.location
        view = repository.Repository(
            place,
            repo.keys,
            random=repo.random,
            clock=repo.clock,
            workers=repo.workers,
            index=indexes.Index(place, repo.keys, strict=True),
        )
        work = _Repair(view, lock, found, cancel or cancels.CancelToken())
        return work.run(progress or (lambda *_: None))


def _list_packs(repo: repository.Repository) -> dict[bytes, int]:
    listed = ((records.salt_of(info.name), info.size) for info in repo.location.list(packs.PREFIX))
    return {salt: size for salt, size in listed if salt is not None}


class _Repair:
    def __init__(
        self, repo: repository.Repository, lock: locks.Lock, found: dict[bytes, int], cancel: cancels.CancelToken
    ) -> None:
        self._repo = repo
        self._lock = lock
        self._packs = found
        self._cancel = cancel
        # An index of its own, which does without the segments that are damaged.
        self._index = indexes.Index(repo.location, repo.keys, loaded=True, strict=True)
        self._replaced: list[str] = []
        self._displacing: list[str] = []
        self._found: set[records.Record] = set()
        self._damaged: list[str] = []
        self._missing: set[bytes] = set()
        self._dropped = 0

    def run(self, progress: Callable[[int, int | None], None]) -> RepairResult:
        self._read_segments()
        self._read_directories(progress)
        lost = sorted(record for record in self._found if record not in self._index.find_all(record.id))
        moved = [record for record in self._displaced() if record not in self._found]
        restored = [record for record in lost if record.kind != crypto.Kind.MANIFEST]
        self._write([*restored, *moved], replaces=self._displacing)
        self._remove_replaced()
        wanted = self._wanted([record for record in lost if record.kind == crypto.Kind.MANIFEST])
        self._write(wanted)
        held = self._remains()
        marks_removed = self._remove_marks(held)
        readable, unreadable = self._points()
        return RepairResult(
            segments_replaced=tuple(sorted([*self._replaced, *map(segments.PREFIX.__add__, self._displacing)])),
            records_restored=len(restored) + len(wanted),
            records_dropped=self._dropped,
            packs_missing=tuple(sorted(map(records.pack_name, self._missing))),
            packs_damaged=tuple(sorted(self._damaged)),
            marks_removed=marks_removed,
            points_damaged=unreadable,
            points=tuple(held.assess(point, self._cancel) for point in readable),
        )

    def _progress(self) -> None:
        self._cancel.raise_if_cancelled()
        self._lock.confirm_if_due()

    def _remains(self) -> losses.Remains:
        repo = self._repo
        index = indexes.Index(repo.location, repo.keys, strict=True)
        view = repository.Repository(repo.location, repo.keys, random=repo.random, clock=repo.clock, index=index)
        return losses.Remains(repo=view, packs=self._packs)

    # What is there.

    def _read_segments(self) -> None:
        found = []
        for info in list(self._repo.location.list(segments.PREFIX)):
            self._progress()
            name = info.name.removeprefix(segments.PREFIX)
            segment = None
            try:
                segment = segments.Segment(self._repo.location, self._repo.keys, name, info.size)
                segment.verify()
                found.append(segment)
            except failures.RepositoryDamaged:
                self._replaced.append(info.name)
                if segment is not None:
                    self._salvage(segment)
        replaced = frozenset(name for segment in found for name in segment.replaces)
        for segment in found:
            if segment.name in replaced:
                continue
            self._index.adopt(segment.name)
            if missing := {pack for pack in segment.packs if pack not in self._packs}:
                self._missing |= missing
                self._displacing.append(segment.name)

    def _salvage(self, segment: segments.Segment) -> None:
        """Take what can be read of a damaged segment; the pack of a record may have lost its directory too."""
        for block in range(segment.blocks):
            with contextlib.suppress(failures.RepositoryDamaged):
                self._found.update(record for record in segment.records_of(block) if record.pack in self._packs)

    def _read_directories(self, progress: Callable[[int, int | None], None]) -> None:
        with (
            futures.ThreadPoolExecutor(self._repo.workers, thread_name_prefix="repair") as pool,
            cancels.within(self._cancel) as stop,
        ):
            tasks = [pool.submit(self._read_directory, stop, salt, size) for salt, size in self._packs.items()]
            for done, task in enumerate(futures.as_completed(tasks), 1):
                self._found.update(task.result())
                self._lock.confirm_if_due()
                progress(done, len(tasks))

    def _read_directory(self, stop: cancels.CancelToken, salt: bytes, size: int) -> list[records.Record]:
        stop.raise_if_cancelled()
        try:
            return packs.read_directory(self._repo.location, self._repo.keys, salt, size)
        except failures.RepositoryDamaged:
            self._damaged.append(records.pack_name(salt))
            return []

    def _displaced(self) -> Iterator[records.Record]:
        """Yield what is good in segments that name packs that are gone."""
        for segment in self._index.parts:
            for record in segment if segment.name in self._displacing else ():
                if record.pack in self._packs:
                    yield record
                else:
                    self._dropped += 1

    # What is to be.

    def _write(self, rows: Sequence[records.Record], *, replaces: Sequence[str] = ()) -> None:
        if rows or replaces:
            self._lock.confirm_if_due()
            compaction.write(self._repo, self._lock, iter(rows), frozenset(replaces))

    def _remove_replaced(self) -> None:
        locks.pause(self._repo.location, self._repo.clock)
        self._lock.confirm()
        for name in self._replaced:
            self._repo.location.delete(name)
        self._repo.index.refresh()
        compaction.remove_replaced(self._repo, self._lock)

    def _wanted(self, lost: list[records.Record]) -> list[records.Record]:
        """Return the manifests that restore points name, and those of which nothing is missing.

        Pruning may have made the index forget others, and may have removed some of their chunks.
        """
        if not lost:
            return []
        readable, _ = self._points()
        named = {reference.export for point in readable for reference in point.exports}
        held = self._remains()
        return [record for record in lost if exports.export_id(record.id) in named or self._is_whole(held, record)]

    def _is_whole(self, held: losses.Remains, record: records.Record) -> bool:
        try:
            manifest = exports.decode(record.id, self._repo.reader().open_record(record))
        except failures.RepositoryDamaged:
            return False
        return held.reaches_all(manifest, self._cancel)

    def _remove_marks(self, held: losses.Remains) -> tuple[str, ...]:
        removed = []
        for info in self._repo.location.list("gc/"):
            try:
                self._repo.open_object(info.name)
            except failures.RepositoryDamaged:
                removed.append(info.name)
        # What is not there by now does not come back, and must not keep anybody from pruning.
        lost = unnamed.find(held.repo, pending.read_all(self._repo.location, self._repo.keys))
        removed += [pending.PREFIX + export for export in lost]
        for name in removed:
            self._repo.location.delete(name)
        return tuple(removed)

    def _points(self) -> tuple[list[RestorePoint], tuple[str, ...]]:
        damaged: list[str] = []
        found = self._repo.points(on_damaged=lambda problem: damaged.append(problem.context["object"]))
        return found[::-1], tuple(damaged)
