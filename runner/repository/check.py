"""Check a repository: find every damaged or missing object, and say which restore points are concerned."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent import futures
from datetime import UTC, datetime, timedelta

import msgspec

from runner.base import cancel as cancels
from runner.base import errors
from runner.model.restore_point import RestorePoint
from runner.registry import location as locations
from runner.repository import (
    config,
    deletions,
    failures,
    keyslots,
    locks,
    losses,
    marks,
    packs,
    points,
    reader,
    records,
)
from runner.repository import index as indexes
from runner.repository import repository as repositories
from runner.repository import segments as index_segments

# Of a percent.
_HUNDREDTH = 100


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
        locked: Whether pruning was kept out; where that was not possible, it may have removed what vanished meanwhile.
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
    locked: bool


def check(
    repo: repositories.Repository,
    read_data: bool,
    *,
    percent: int = 100,
    cancel: cancels.CancelToken | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Report:
    """Check all objects of a repository; nothing is changed.

    It holds a lock, so that no pruning takes away what is being looked at, unless the location is read-only.

    Args:
        repo: The repository.
        read_data: Whether to read chunks and hash them again; otherwise only metadata is read.
        percent: How many of the packs are read then. They change every week so that each gets its turn.
        cancel: Says when to give up.
        progress: Called with the number of packs done and of all.

    Raises:
        RepositoryLocked: While the repository is being pruned.
    """
    with contextlib.ExitStack() as stack:
        locked = _lock(repo, stack)
        return _Check(repo, cancel or cancels.CancelToken(), progress or (lambda *_: None)).run(
            percent if read_data else 0, locked=locked
        )


def _lock(repo: repositories.Repository, stack: contextlib.ExitStack) -> bool:
    """Take a lock for as long as the stack lasts; tell whether it was possible to write one."""
    try:
        stack.enter_context(repo.lock(locks.Use.CHECK))
    except errors.EnvironmentProblem as problem:
        if problem.code != "RT311":
            raise
        return False
    return True


class _Check:
    def __init__(
        self,
        repo: repositories.Repository,
        cancel: cancels.CancelToken,
        progress: Callable[[int, int | None], None],
    ) -> None:
        self._repo = repo
        self._cancel = cancel
        self._progress = progress
        self._problems: dict[str, str] = {}
        self._indexed: Counter[bytes] = Counter()
        self._packs: dict[bytes, int] = {}
        self._damaged: set[deletions.Place] = set()
        self._read: list[int] = []
        # An index of its own, which does without the segments that are damaged.
        self._index = indexes.Index(repo.location, repo.keys, loaded=True)
        self._view = repositories.Repository(
            repo.location, repo.keys, random=repo.random, clock=repo.clock, index=self._index
        )

    def run(self, percent: int, *, locked: bool) -> Report:
        self._check_heads()
        self._check_segments()
        unused = self._check_packs(share_of_week(self._repo.clock.now(), percent))
        found = self._check_points()
        self._check_mutable()
        concerned = self._concerned(found)
        problems = [
            Problem(
                object=name,
                message=message,
                restore_points=tuple(point.id for point in found if name in concerned[point.id]) or _own_point(name),
            )
            for name, message in sorted(self._problems.items())
        ]
        return Report(
            problems=tuple(problems),
            conditions=self._conditions([point for point in found if concerned[point.id]]),
            objects=sum(not info.name.startswith(locks.PREFIX) for info in self._repo.location.list("")),
            restore_points=len(found),
            chunks=self._indexed.total(),
            packs=len(self._indexed),
            packs_read=len(self._read),
            unused_packs=unused,
            bytes_read=sum(self._read),
            locked=locked,
        )

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
            except errors.PermanentError as problem:
                self._note(keyslots.PREFIX + slot, problem)

    def _check_segments(self) -> None:
        found = []
        for info in self._repo.location.list(index_segments.PREFIX):
            self._cancel.raise_if_cancelled()
            name = info.name.removeprefix(index_segments.PREFIX)
            try:
                segment = index_segments.Segment(self._repo.location, self._repo.keys, name, info.size)
                segment.verify()
            except locations.ObjectMissing:
                continue
            except failures.RepositoryDamaged as problem:
                self._note(info.name, problem)
            else:
                found.append(segment)
        replaced = frozenset(name for segment in found for name in segment.replaces)
        for segment in found:
            if segment.name not in replaced:
                self._indexed.update(record.pack for record in segment)
                self._index.adopt(segment.name)

    def _check_packs(self, is_chosen: Callable[[bytes], bool]) -> int:
        unused = done = 0
        chunks = reader.Reader(self._repo.location, self._repo.keys, self._index, rehash=True)
        for info in self._repo.location.list(packs.PREFIX):
            salt = records.salt_of(info.name)
            if salt is None or salt not in self._indexed:
                unused += 1
            else:
                self._packs[salt] = info.size
        with futures.ThreadPoolExecutor(self._repo.workers, thread_name_prefix="check") as pool:
            tasks = [
                pool.submit(self._check_pack, chunks, salt, size, is_chosen(salt)) for salt, size in self._packs.items()
            ]
            for task in futures.as_completed(tasks):
                task.result()
                done += 1
                self._progress(done, len(tasks))
        for salt in self._indexed.keys() - self._packs.keys():
            self._problems[records.pack_name(salt)] = f"{records.pack_name(salt)} is missing"
        return unused

    def _check_pack(self, chunks: reader.Reader, salt: bytes, size: int, read_data: bool) -> None:
        self._cancel.raise_if_cancelled()
        name = records.pack_name(salt)
        try:
            directory = packs.read_directory(self._repo.location, self._repo.keys, salt, size)
            # An interrupted pruning may leave a record in two segments, each of which was counted.
            known = sum(found == record for record in directory for found in self._index.find_all(record.id))
            if known != self._indexed[salt]:
                raise failures.damaged(name, "its directory and the index do not agree")
            if read_data:
                self._read.append(self._read_chunks(chunks, directory))
        except locations.ObjectMissing:
            self._problems[name] = f"{name} is missing"
            self._packs.pop(salt, None)
        except failures.RepositoryDamaged as problem:
            self._note(name, problem)

    def _read_chunks(self, chunks: reader.Reader, directory: Sequence[records.Record]) -> int:
        try:
            return sum(len(content) for _, content in chunks.fetch_records(directory))
        except failures.RepositoryDamaged as problem:
            self._note(records.pack_name(directory[0].pack), problem)
        # Now each by itself, to learn what is left.
        read = 0
        for record in directory:
            try:
                read += len(chunks.open_record(record))
            except failures.RepositoryDamaged:
                self._damaged.add((record.pack, record.ordinal))
        return read

    def _conditions(self, concerned: list[RestorePoint]) -> tuple[losses.PointCondition, ...]:
        held = losses.Remains(repo=self._view, packs=self._packs, damaged=self._damaged)
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

    def _concerned(self, found: list[RestorePoint]) -> dict[str, set[str]]:
        """Return which damaged objects each restore point needs, by its id."""
        everything = marks.Marks(self._index)
        for point in found:
            self._walk(point, everything)
        if not self._problems:
            return {point.id: set() for point in found}
        # Only now each by itself, because they share most of what they reach.
        return {point.id: self._walk(point, marks.Marks(self._index)) for point in found}

    def _walk(self, point: RestorePoint, reached: marks.Marks) -> set[str]:
        needed: set[str] = set()

        def note(problem: errors.RunnerError) -> None:
            name = problem.context.get("object", points.name_of(point.id))
            self._note(name, problem)
            needed.add(name)

        chunks = self._view.reader()
        for reference in point.exports:
            try:
                manifest = self._view.manifest(reference.export)
            except errors.PermanentError as problem:
                note(problem)
                continue
            for record in reached.walk(manifest, chunks, self._cancel, note):
                name = records.pack_name(record.pack)
                if name in self._problems:
                    needed.add(name)
        return needed


def _own_point(name: str) -> tuple[str, ...]:
    return (name.removeprefix(points.PREFIX),) if name.startswith(points.PREFIX) else ()


def share_of_week(now: datetime, percent: int) -> Callable[[bytes], bool]:
    """Return whether a pack is among so many percent; after as many weeks as it takes, each was once."""
    week = (now - datetime.fromtimestamp(0, UTC)) // timedelta(weeks=1)
    width = percent * _HUNDREDTH
    start = week * width

    def is_chosen(salt: bytes) -> bool:
        # Salts are random, so equal parts of their range hold about as many packs.
        return (int.from_bytes(salt[:4], "big") - start) % (100 * _HUNDREDTH) < width

    return is_chosen
