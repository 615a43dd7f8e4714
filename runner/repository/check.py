"""Check a repository: find every damaged or missing object, and say which restore points are concerned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from runner.base import cancel as cancels
from runner.base import errors, ids
from runner.model.restore_point import RestorePoint
from runner.registry import location as locations
from runner.repository import (
    check_packs,
    config,
    failures,
    keyslots,
    locks,
    losses,
    marks,
    pending,
    points,
    records,
    unnamed,
)
from runner.repository import index as indexes
from runner.repository import repository as repositories
from runner.repository import segments as index_segments


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A damaged or missing object.

    Attributes:
        object: Its name in the location.
        message: What is wrong with it.
        restore_points: The ids of those that cannot be restored completely because of it, oldest first.
    """

    object: str
    message: str
    restore_points: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    Attributes:
        problems: Ordered by object; empty when all is well.
        conditions: Restore points that cannot be restored completely, oldest first, and what of them is gone.
        packs: How many packs the index names.
        packs_read: Of how many of these all data was read.
        unused_packs: Packs that no index names: left by interrupted exports, removed by pruning, no problem.
        bytes_read: Content that was read and hashed again.
    """

    problems: tuple[Problem, ...]
    conditions: tuple[losses.PointCondition, ...]
    objects: int
    restore_points: int
    chunks: int
    packs: int
    packs_read: int
    unused_packs: int
    bytes_read: int


def check(
    repo: repositories.Repository,
    read_data: bool,
    *,
    percent: int = 100,
    cancel: cancels.CancelToken | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Report:
    """Check all objects of a repository; nothing is changed.

    Exports, restores and a pruning may go on meanwhile. What seems wrong counts only if it still is when the index
    was read again: pruning stores the new place of a chunk before it removes the old one.

    Args:
        repo: The repository.
        read_data: Whether to read chunks and hash them again; otherwise only metadata is read.
        percent: How many of the packs are read then. They change every week so that each gets its turn.
        cancel: Says when to give up.
        progress: Called with the number of packs done and of all.
    """
    return _Check(repo, cancel or cancels.CancelToken(), progress or (lambda *_: None)).run(percent if read_data else 0)


class _Check:
    def __init__(
        self,
        repo: repositories.Repository,
        cancel: cancels.CancelToken,
        progress: Callable[[int, int | None], None],
    ) -> None:
        self._repo = repo
        self._cancel = cancel
        self._problems: dict[str, str] = {}
        self._unnamed = ""
        self._lost: Sequence[ids.ExportId] = ()
        # An index of its own, so that what is damaged is a finding and no warning.
        self._index = indexes.Index(repo.location, repo.keys, watch=repo.index.watch)
        self._view = repositories.Repository(
            repo.location, repo.keys, random=repo.random, clock=repo.clock, workers=repo.workers, index=self._index
        )
        self._held = check_packs.PackCheck(self._view, cancel, progress)

    def run(self, percent: int) -> Report:
        self._check_heads()
        marked = list(pending.read_all(self._repo.location, self._repo.keys))
        self._check_segments()
        self._lost = unnamed.find(self._view, marked)
        self._check_mutable()
        found = self._check_points()
        everything = marks.Marks(self._index)
        # First of all, because then it is known what is needed of packs that no segment names.
        suspect = [point for point in found if self._walk(point, everything)]
        is_chosen = check_packs.share_of_week(self._repo.clock.now(), percent)
        while True:
            before = self._index.parts
            unused = self._held.look(is_chosen)
            is_odd = suspect or self._held.wrong or self._problems or self._index.recovered
            concerned = self._concerned(found) if is_odd else {}
            conditions = self._conditions([point for point in found if point.id in concerned])
            if not (self._held.wrong or concerned) or self._is_settled(before):
                break
        return Report(
            problems=self._all_problems(concerned),
            conditions=conditions,
            objects=sum(not info.name.startswith(locks.PREFIX) for info in self._repo.location.list("")),
            restore_points=len(found),
            chunks=self._held.indexed.total(),
            packs=len(self._held.indexed),
            packs_read=len(self._held.read),
            unused_packs=unused,
            bytes_read=sum(self._held.read),
        )

    def _all_problems(self, concerned: Mapping[str, Mapping[str, str]]) -> tuple[Problem, ...]:
        wrong = {records.pack_name(salt): message for salt, message in self._held.wrong.items() if self._counts(salt)}
        found = wrong | self._problems
        for needed in concerned.values():
            found = {**needed, **found}
        for name, problem in self._index.damage.known.items():
            if name:
                found.setdefault(index_segments.PREFIX + name, problem.message)
        if not any(self._index.damage.known):
            for message in filter(None, [self._unnamed, *(unnamed.problem(export).message for export in self._lost)]):
                found.setdefault(index_segments.PREFIX, message)
        return tuple(
            Problem(
                object=name,
                message=message,
                restore_points=tuple(point for point in concerned if name in concerned[point]) or _own_point(name),
            )
            for name, message in sorted(found.items())
        )

    def _counts(self, pack: bytes) -> bool:
        """Tell whether a pack is missed: what lost its lock may have stored a segment after its packs were removed."""
        naming = [segment.name for segment in self._index.parts if pack in segment.packs]
        return not naming or not all(segment in self._index.trust.suspect for segment in naming)

    def _is_settled(self, before: Sequence[index_segments.Segment]) -> bool:
        """Tell whether no segment was replaced since, so that nothing was pruned either."""
        self._index.refresh()
        return frozenset(before) <= frozenset(self._index.parts)

    def _note(self, name: str, problem: errors.RunnerError) -> None:
        self._problems.setdefault(name, problem.message)

    def _check_heads(self) -> None:
        try:
            _, authenticated = config.read(self._repo.location)
            config.verify(authenticated, self._repo.keys)
        except errors.PermanentError as problem:
            self._note(config.NAME, problem)
        for slot in keyslots.names(self._repo.location):
            try:
                keyslots.read(self._repo.location, slot)
            except locations.ObjectMissing:
                continue
            except errors.PermanentError as problem:
                self._note(keyslots.PREFIX + slot, problem)

    def _check_segments(self) -> None:
        verified: set[str] = set()
        self._index.refresh()
        while fresh := [each for each in (*self._index.parts, *self._index.replaced) if each.name not in verified]:
            for segment in fresh:
                self._cancel.raise_if_cancelled()
                verified.add(segment.name)
                try:
                    segment.verify()
                except locations.ObjectMissing:
                    continue
                except failures.RepositoryDamaged as problem:
                    self._note(index_segments.PREFIX + segment.name, problem)
            # Pruning may have replaced them by others.
            self._index.refresh()

    def _conditions(self, concerned: Sequence[RestorePoint]) -> tuple[losses.PointCondition, ...]:
        held = losses.Remains(repo=self._view, packs=self._held.sizes, damaged=self._held.damaged)
        found = [held.assess(point, self._cancel) for point in concerned]
        return tuple(each for each in found if each.condition is not losses.Condition.COMPLETE)

    def _check_points(self) -> list[RestorePoint]:
        found = []
        for info in self._repo.location.list(points.PREFIX):
            try:
                found.append(points.decode(info.name, self._repo.open_object(info.name)))
            except locations.ObjectMissing:
                continue
            except failures.RepositoryDamaged as problem:
                self._note(info.name, problem)
        return sorted(found, key=lambda point: (point.created, point.id))

    def _check_mutable(self) -> None:
        for prefix in (locks.PREFIX, "gc/"):
            for info in self._repo.location.list(prefix):
                try:
                    self._repo.open_object(info.name)
                except locations.ObjectMissing:
                    continue
                except failures.RepositoryDamaged as problem:
                    self._note(info.name, problem)

    def _concerned(self, found: Sequence[RestorePoint]) -> dict[str, dict[str, str]]:
        """Return what is wrong with what each restore point needs, by its id.

        Each is walked by itself, because they share most of what they reach. One that was deleted meanwhile needs
        nothing any more.
        """
        concerned: dict[str, dict[str, str]] = {}
        unnamed = ""
        for point in found:
            self._unnamed = ""
            needed = self._walk(point, marks.Marks(self._index))
            if locations.exists(self._repo.location, points.name_of(point.id)):
                unnamed = unnamed or self._unnamed
                if needed:
                    concerned[point.id] = needed
        self._unnamed = unnamed
        return concerned

    def _walk(self, point: RestorePoint, reached: marks.Marks) -> dict[str, str]:
        """Return what is wrong with what a restore point needs, by object."""
        needed: dict[str, str] = {}

        def note(problem: errors.RunnerError) -> None:
            needed.setdefault(problem.context.get("object", points.name_of(point.id)), problem.message)

        chunks = self._view.reader()
        for reference in point.exports:
            try:
                manifest = self._view.manifest(reference.export)
            except errors.PermanentError as problem:
                note(problem)
                continue
            self._require_name(self._repo.keys.manifest_id(manifest.token))
            for record in reached.walk(manifest, chunks, self._cancel, note):
                self._require_name(record.id)
                if record.pack in self._held.wrong:
                    needed.setdefault(records.pack_name(record.pack), self._held.wrong[record.pack])
        return needed

    def _require_name(self, chunk: bytes) -> None:
        if self._index.recovered and not self._index.is_named(chunk):
            self._unnamed = f"{index_segments.PREFIX} is damaged: chunks that restore points need are in no segment"


def _own_point(name: str) -> tuple[str, ...]:
    return (name.removeprefix(points.PREFIX),) if name.startswith(points.PREFIX) else ()
