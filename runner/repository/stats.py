"""How large a repository is and what it holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from runner.repository import index as indexes
from runner.repository import points, repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Sizes in bytes and numbers.

    Attributes:
        bytes_total: All objects of the repository.
        bytes_plain: Content of all chunks, before compression.
        bytes_exported: What all exports read from their sources; many times `bytes_plain` where much was the same.
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


def collect(repo: repository.Repository) -> Stats:
    """Count everything.

    Raises:
        RepositoryDamaged: If the index is damaged.
    """
    repo.index.refresh()
    count: Counter[str] = Counter()
    for info in repo.location.list(""):
        top = info.name.partition("/")[0]
        count["objects"] += 1
        count["bytes"] += info.size
        count[top] += 1
        count[f"{top} bytes"] += info.size
    count += repo.index.steadily(lambda: _count_chunks(repo.index))
    manifests = list(repo.manifests())
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
    )


def _count_chunks(index: indexes.Index) -> Counter[str]:
    count: Counter[str] = Counter()
    for segment in index.parts:
        for record in segment:
            count["chunks"] += 1
            count["plain"] += record.plain
    return count
