"""Who holds what: numbers that agree with walking from each restore point by itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.base import cancel, ids
from runner.repository import crypto, marks, points, records, repository, stats
from runner.repository.failures import RepositoryDamaged
from tests.unit.repository import making, tree_samples
from tests.unit.repository.test_streams import backup


def refuse(problem: RepositoryDamaged) -> None:
    raise problem


def reached(repo: repository.Repository, export: ids.ExportId) -> set[records.Record]:
    walk = marks.Marks(repo.index).walk(repo.manifest(export), repo.reader(), cancel.CancelToken(), refuse)
    return set(walk)


@pytest.fixture
def repo(tmp_path: Path) -> repository.Repository:
    """Make restore points of streams and trees of which parts are the same."""
    repo = making.make()
    bench = tree_samples.Bench(scratch=tmp_path, repo=repo)
    draw = random.Random(2)
    parts = [draw.randbytes(700_000) for _ in range(6)]
    for number in range(5):
        chosen = draw.sample(range(6), 3)
        stream = backup(repo, b"".join(parts[part] for part in chosen), f"s{number}")
        top = tmp_path / f"t{number}"
        top.mkdir()
        for part in draw.sample(range(6), 2):
            (top / str(part)).write_bytes(parts[part])
        (top / "own").write_bytes(draw.randbytes(10_000 + number))
        repo.put_point(making.point(f"aaaaaaa{number}", stream, bench.backup(top).export))
    backup(repo, draw.randbytes(300_000), "unfinished")
    return repo


def test_numbers_agree_with_sets(repo: repository.Repository) -> None:
    found = stats.collect(repo)
    reach = {
        point.id: set().union(*(reached(repo, export.export) for export in point.exports)) for point in repo.points()
    }
    together = set().union(*reach.values())
    for point in found.points:
        others = set().union(*(chunks for other, chunks in reach.items() if other != point.id))
        alone = reach[point.id] - others
        assert point.bytes_freed == sum(record.stored for record in alone)
        assert point.bytes_unique == sum(record.plain for record in alone if record.kind == crypto.Kind.DATA)
        assert point.bytes_shared + point.bytes_unique == point.bytes_data
    unfinished = sum(record.stored for record in reached(repo, repo.manifest(_left(repo)).export) - together)
    assert found.bytes_unfinished == unfinished > 300_000
    data = [record for record in together | reached(repo, _left(repo)) if record.kind == crypto.Kind.DATA]
    assert found.bytes_different == sum(record.plain for record in data)
    assert found.bytes_compressed == sum(record.stored for record in data)
    assert found.bytes_unused == 0


def _left(repo: repository.Repository) -> ids.ExportId:
    named = {export.export for point in repo.points() for export in point.exports}
    (left,) = [manifest.export for manifest in repo.manifests() if manifest.export not in named]
    return left


def test_data_is_what_a_restore_brings_back(repo: repository.Repository) -> None:
    for point in stats.collect(repo).points:
        sizes = [repo.manifest(export.export) for export in repo.point(point.id).exports]
        assert point.bytes_data == sum(manifest.bytes_read for manifest in sizes)


def test_what_is_deleted_is_unused(repo: repository.Repository) -> None:
    before = {point.id: point for point in stats.collect(repo).points}
    gone = repo.point("aaaaaaa3").exports
    repo.delete_point(ids.RestorePointId("aaaaaaa3"))
    for export in gone:
        repo.delete_export(export.export)
    found = stats.collect(repo)
    assert "aaaaaaa3" not in {point.id for point in found.points}
    assert found.bytes_unused == before[ids.RestorePointId("aaaaaaa3")].bytes_freed > 0


def test_a_missing_export_is_told_and_does_not_hide_the_others(repo: repository.Repository) -> None:
    point = repo.points()[0]
    lost = replace(point.exports[0], export=ids.ExportId("0" * 26))
    damaged = replace(point, id=ids.RestorePointId("bbbbbbbb"), exports=(lost,))
    repo.location.put(
        "points/bbbbbbbb", [repo.keys.seal_object("points/bbbbbbbb", points.encode(damaged), repo.random)]
    )
    complete = {found.id: found.is_complete for found in stats.collect(repo).points}
    assert [point for point, whole in complete.items() if not whole] == ["bbbbbbbb"]
    assert len(complete) == 6


def test_an_empty_repository_has_no_ratios() -> None:
    found = stats.collect(making.make())
    assert (found.deduplication, found.compression, found.points) == (None, None, ())
