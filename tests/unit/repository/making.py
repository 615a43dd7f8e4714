"""Small repositories for tests."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from datetime import datetime

from runner.base import cancel, clock, ids
from runner.locations import memory
from runner.model import restore_point
from runner.registry.location import Location
from runner.repository import access, keyslots, repository

CHEAP = keyslots.KdfCost(memory_kib=8, iterations=1, lanes=1)
START = datetime.fromisoformat("2026-11-24T12:00:00+00:00")


def make(location: Location | None = None, **options: object) -> repository.Repository:
    """Make a repository, in memory if nothing else is said."""
    where = location or memory.Memory()
    time = clock.FakeClock(START)
    return access.create(where, "secret", **{"clock": time, "kdf": CHEAP, "workers": 2, **options})  # type: ignore[arg-type]


def reopen(repo: repository.Repository) -> repository.Repository:
    """Open the same repository as another process would."""
    return access.open(repo.location, "secret", clock=repo.clock)


def counted_bytes(seed: str = "") -> Callable[[int], bytes]:
    """Return a source of bytes that are the same each time and look random."""
    numbers = itertools.count()

    def draw(count: int) -> bytes:
        return hashlib.shake_256(f"{seed} {next(numbers)}".encode()).digest(count)

    return draw


def noise(seed: str, count: int) -> bytes:
    """Return bytes that cannot be compressed."""
    return hashlib.shake_256(seed.encode()).digest(count)


def put(repo: repository.Repository, token: str, *chunks: bytes, run: str = "") -> ids.ExportId:
    """Make an export of some chunks."""
    with repo.writer(token=token, cancel=cancel.CancelToken(), run=run) as writer:
        found = list(writer.add_all(chunks))
        return writer.finish({"kind": "stream", "source": "test", "roots": found})


def contents(repo: repository.Repository, export: ids.ExportId) -> list[bytes]:
    """Read such an export."""
    return list(repo.reader().read(repo.manifest(export).roots))


def point(name: str, *exports: ids.ExportId, created: datetime = START) -> restore_point.RestorePoint:
    """Describe a restore point."""
    references = tuple(
        restore_point.PointExport(
            phase=f"phase{number}",
            key="",
            source="test",
            export=export,
            kind="stream",
            bytes_read=1,
            bytes_new=1,
            bytes_stored=1,
        )
        for number, export in enumerate(exports)
    )
    return restore_point.RestorePoint(
        id=ids.RestorePointId(name),
        created=created,
        blueprint="first",
        blueprint_text="apiVersion: …",
        action="backup",
        object=None,
        run=ids.RunId("7kq2m9xw"),
        inputs={"data": "/srv", "depth": 3, "flags": [True, None]},
        artifacts={"db": {"path": "x"}},
        exports=references,
    )
