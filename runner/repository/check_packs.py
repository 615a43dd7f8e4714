"""The part of a check that looks at packs: whether they are there, agree with the index, and can be read."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent import futures
from datetime import UTC, datetime, timedelta

from runner.base import cancel as cancels
from runner.registry import location as locations
from runner.repository import deletions, failures, packs, reader, records, repository

# Of a percent.
_HUNDREDTH = 100


class PackCheck:
    """Packs as a check finds them.

    Args:
        repo: The repository, with the index of the check.
        cancel: Says when to give up.
        progress: Called with the number of packs done and of all.

    Attributes:
        indexed: How many records the index has of each pack.
        sizes: The packs that are there, and how long they are.
        wrong: What is wrong with packs.
        damaged: Places of chunks that cannot be read, as far as they were tried.
        read: For each pack that was read, how much content that was.
    """

    def __init__(
        self,
        repo: repository.Repository,
        cancel: cancels.CancelToken,
        progress: Callable[[int, int | None], None],
    ) -> None:
        self.indexed: Counter[bytes] = Counter()
        self.sizes: dict[bytes, int] = {}
        self.wrong: dict[bytes, str] = {}
        self.damaged: set[deletions.Place] = set()
        self.read: list[int] = []
        self._repo = repo
        self._index = repo.index
        self._cancel = cancel
        self._progress = progress
        self._looked: set[bytes] = set()

    def look(self, is_chosen: Callable[[bytes], bool]) -> int:
        """Look at the packs that the index names, again at those that seemed wrong; count all others."""
        self.indexed = self._index.steadily(lambda: Counter(record.pack for record in self._index.entries()))
        unused = self._list()
        named = {*self.indexed, *(pack for segment in self._index.recovered for pack in segment.packs)}
        chosen = [salt for salt in sorted(named) if salt in self.wrong or salt not in self._looked]
        self.wrong = {}
        done, total = len(self._looked), len(self._looked) + len(chosen)
        chunks = reader.Reader(self._repo.location, self._repo.keys, self._index, rehash=True)
        with (
            futures.ThreadPoolExecutor(self._repo.workers, thread_name_prefix="check") as pool,
            cancels.within(self._cancel) as stop,
        ):
            look = functools.partial(self._look_at, chunks.giving_up(stop), stop)
            tasks = [pool.submit(look, salt, is_chosen(salt)) for salt in chosen]
            for task in futures.as_completed(tasks):
                task.result()
                done += 1
                self._progress(done, total)
        self._looked.update(chosen)
        return unused

    def _list(self) -> int:
        """Learn which packs are there, and count those that the index does not name."""
        listed = [(records.salt_of(info.name), info.size) for info in self._repo.location.list(packs.PREFIX)]
        self.sizes = {salt: size for salt, size in listed if salt is not None}
        return sum(salt not in self.indexed for salt, _ in listed)

    def _size_of(self, salt: bytes) -> int:
        """Return how long a pack is; a listing may not show it yet.

        Raises:
            ObjectMissing: If it is not there.
        """
        return self.sizes.get(salt) or self._repo.location.stat(records.pack_name(salt)).size

    def _look_at(self, chunks: reader.Reader, stop: cancels.CancelToken, salt: bytes, read_data: bool) -> None:
        stop.raise_if_cancelled()
        name = records.pack_name(salt)
        try:
            directory = packs.read_directory(self._repo.location, self._repo.keys, salt, self._size_of(salt))
            # An interrupted pruning may leave a record in two segments, each of which was counted.
            known = sum(found == record for record in directory for found in self._index.find_all(record.id))
            if known < self.indexed[salt]:
                raise failures.damaged(name, "its directory and the index do not agree")
            if read_data:
                self.read.append(self._read_chunks(chunks, directory))
        except locations.ObjectMissing:
            if salt in self.indexed:
                self.wrong[salt] = f"{name} is missing"
        except failures.RepositoryDamaged as problem:
            self.wrong[salt] = problem.message

    def _read_chunks(self, chunks: reader.Reader, directory: Sequence[records.Record]) -> int:
        try:
            return sum(len(content) for _, content in chunks.fetch_records(directory))
        except failures.RepositoryDamaged as problem:
            self.wrong[directory[0].pack] = problem.message
        # Now each by itself, to learn what is left.
        read = 0
        for record in directory:
            try:
                read += len(chunks.open_record(record))
            except failures.RepositoryDamaged:
                self.damaged.add((record.pack, record.ordinal))
        return read


def share_of_week(now: datetime, percent: int) -> Callable[[bytes], bool]:
    """Return whether a pack is among so many percent; after as many weeks as it takes, each was once."""
    week = (now - datetime.fromtimestamp(0, UTC)) // timedelta(weeks=1)
    width = percent * _HUNDREDTH
    start = week * width

    def is_chosen(salt: bytes) -> bool:
        # Salts are random, so equal parts of their range hold about as many packs.
        return (int.from_bytes(salt[:4], "big") - start) % (100 * _HUNDREDTH) < width

    return is_chosen
