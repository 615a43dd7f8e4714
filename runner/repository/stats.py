"""How large a repository is and what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import msgspec

from runner.base import ids
from runner.model.restore_point import RestorePoint
from runner.repository import crypto, exports, failures, holdings, points, repository
from runner.repository import index as indexes

Progress = Callable[[int, int | None], None]


class PointStats(msgspec.Struct, frozen=True, kw_only=True):
    """What one restore point holds, in bytes.

    Attributes:
        bytes_data: Content of its exports without holes, before compression.
        bytes_shared: How much of that others hold as well, or it holds more than once.
        bytes_unique: How much only it holds.
        bytes_freed: Stored bytes, metadata included, that pruning gives back when it is deleted alone.
        is_complete: Whether all of it could be counted; otherwise something is missing or damaged.
    """

    id: ids.RestorePointId
    blueprint: str
    created: datetime
    bytes_data: int
    bytes_shared: int
    bytes_unique: int
    bytes_freed: int
    is_complete: bool


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes and numbers.

    Attributes:
        bytes_total: All objects of the repository.
        bytes_plain: Content of all chunks, before compression.
        bytes_exported: What all exports read from their sources.
        bytes_held: Content of all exports without holes, before compression, as if each were alone.
        bytes_different: The same content with what is equal counted once.
        bytes_compressed: What is stored of that.
        bytes_unfinished: Stored bytes that only exports hold which belong to no restore point.
        bytes_unused: Stored bytes that no export holds; pruning frees them.
        deduplication: `bytes_held` for each byte of `bytes_different`; None without content.
        compression: `bytes_different` for each byte of `bytes_compressed`; None without content.
        points: Newest first.
    """

    objects: int
    bytes_total: int
    packs: int
    bytes_packs: int
    segments: int
    chunks: int
    bytes_plain: int
    exports: int
    bytes_exported: int
    restore_points: int
    bytes_held: int
    bytes_different: int
    bytes_compressed: int
    bytes_unfinished: int
    bytes_unused: int
    deduplication: float | None
    compression: float | None
    points: tuple[PointStats, ...]


def collect(repo: repository.Repository, progress: Progress = lambda *_: None) -> Stats:
    """Count everything.

    Args:
        repo: The repository; only its metadata is read.
        progress: Called with the number of exports that were counted and of all.

    Raises:
        RepositoryDamaged: If the index or a manifest is damaged.
    """
    repo.index.refresh()
    repo.index.damage.refuse()
    count: Counter[str] = Counter()
    for info in repo.location.list(""):
        top = info.name.partition("/")[0]
        count["objects"] += 1
        count["bytes"] += info.size
        count[top] += 1
        count[f"{top} bytes"] += info.size
    count += repo.index.steadily(lambda: _count_chunks(repo.index))
    manifests = list(repo.manifests())
    counted = _Counted(repo, manifests, progress)
    content = counted.holdings.all
    return Stats(
        objects=count["objects"],
        bytes_total=count["bytes"],
        packs=count["data"],
        bytes_packs=count["data bytes"],
        segments=len(repo.index.parts),
        chunks=count["chunks"],
        bytes_plain=count["plain"],
        exports=len(manifests),
        bytes_exported=sum(manifest.bytes_read for manifest in manifests),
        restore_points=count[points.PREFIX.rstrip("/")],
        bytes_held=counted.bytes_held,
        bytes_different=content.bytes_plain,
        bytes_compressed=content.bytes_content,
        bytes_unfinished=counted.unfinished.bytes_freed,
        bytes_unused=max(0, count["stored"] - content.bytes_stored),
        deduplication=_ratio(counted.bytes_held, content.bytes_plain),
        compression=_ratio(content.bytes_plain, content.bytes_content),
        points=tuple(counted.points),
    )


def _ratio(large: int, small: int) -> float | None:
    return round(large / small, 3) if small else None


class _Counted:
    """Walks over all exports once, restore point by restore point."""

    def __init__(
        self,
        repo: repository.Repository,
        manifests: list[exports.Manifest],
        progress: Progress,
    ) -> None:
        self.holdings = holdings.Holdings(repo)
        self._left = {str(manifest.export): manifest for manifest in manifests}
        self._all = dict(self._left)
        self._progress = progress
        found = [(point, self._point(point)) for point in repo.points(on_damaged=lambda _: None)]
        self.unfinished, _ = self._owner(list(self._left))
        self.points = [_described(point, holding, is_complete) for point, (holding, is_complete) in found]
        self.bytes_held = sum(point.bytes_data for point in self.points) + self.unfinished.bytes_data

    def _point(self, point: RestorePoint) -> tuple[holdings.Holding, bool]:
        return self._owner([export.export for export in point.exports])

    def _owner(self, wanted: list[str]) -> tuple[holdings.Holding, bool]:
        """Count what an owner holds; tell whether all of it is there."""
        holding, is_complete = self.holdings.add(), True
        for export in wanted:
            self._left.pop(export, None)
            try:
                self.holdings.give(holding, self._all[export])
            except (KeyError, failures.RepositoryDamaged):
                is_complete = False
            self._progress(len(self._all) - len(self._left), len(self._all))
        return holding, is_complete


def _described(point: RestorePoint, holding: holdings.Holding, is_complete: bool) -> PointStats:
    return PointStats(
        id=point.id,
        blueprint=point.blueprint,
        created=point.created,
        bytes_data=holding.bytes_data,
        bytes_shared=holding.bytes_shared,
        bytes_unique=holding.bytes_unique,
        bytes_freed=holding.bytes_freed,
        is_complete=is_complete,
    )


def _count_chunks(index: indexes.Index) -> Counter[str]:
    count: Counter[str] = Counter()
    for segment in index.parts:
        for record in segment:
            count["chunks"] += 1
            count["plain"] += record.plain
            if record.kind != crypto.Kind.MANIFEST:
                count["stored"] += record.stored
    return count
