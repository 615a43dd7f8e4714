"""Beside a damaged or incomplete index everything can be read, nothing new relies on it, and nothing is removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from runner.base import cancel
from runner.repository import (
    access,
    check,
    crypto,
    failures,
    prune,
    records,
    repair,
    repository,
    stats,
    verifying,
)
from tests.unit.repository.making import contents, make, noise, point, put, reopen

CHUNKS = [noise(str(number), 3000) for number in range(300)]


def filled() -> repository.Repository:
    """Return a repository with two restore points; the segment of each has several blocks."""
    repo = make()
    repo.put_point(point("aaaaaaaa", put(repo, "a", *CHUNKS)))
    repo.put_point(point("bbbbbbbb", put(repo, "b", *CHUNKS[200:], *[noise(f"b{n}", 3000) for n in range(200)])))
    return repo


def summary(data: bytes) -> bytes:
    return data[:-30] + bytes(30)


def first_block(data: bytes) -> bytes:
    return bytes(30) + data[30:]


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "summary": summary,
    "block": first_block,
    "missing": lambda _: None,
    "empty": lambda _: b"",
}


def damage(repo: repository.Repository, how: str, number: int) -> str:
    """Damage a segment; return its name."""
    name = [info.name for info in repo.location.list("index/")][number]
    damage_segment(repo, how, name)
    return name


def damage_segment(repo: repository.Repository, how: str, name: str) -> None:
    data = DAMAGES[how](repo.location.get(name))
    if data is None:
        repo.location.delete(name)
    else:
        repo.location.put(name, [data], overwrite=True)


def watching(repo: repository.Repository) -> tuple[repository.Repository, list[str]]:
    """Return the repository as another process would open it, and what it is told."""
    told: list[str] = []
    opened = access.open(
        repo.location, "secret", clock=repo.clock, on_damage=lambda problem: told.append(problem.message)
    )
    return opened, told


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("how", DAMAGES)
def test_everything_can_be_read_and_the_segment_is_named_once(how: str, number: int) -> None:
    repo = filled()
    name = damage(repo, how, number)
    opened, told = watching(repo)
    (first,), (second,) = (opened.point(each).exports for each in ("aaaaaaaa", "bbbbbbbb"))
    assert contents(opened, first.export) == CHUNKS
    assert contents(opened, second.export)[:100] == CHUNKS[200:]
    for each in (first, second):
        assert verifying.verify_export(opened, each.export, cancel=cancel.CancelToken(), progress=lambda *_: None) > 0
    told = [message for message in told if not message.startswith("index/ ")] or told
    assert [message.partition(" ")[0] for message in told] == ["index/" if how == "missing" else name]


@pytest.mark.parametrize("how", DAMAGES)
def test_what_is_gone_as_well_is_named(how: str) -> None:
    repo = filled()
    damage(repo, how, 0)
    pack = max(repo.location.list("data/"), key=lambda info: info.size).name
    repo.location.delete(pack)
    exports_of = [repo.point(each).exports[0].export for each in ("aaaaaaaa", "bbbbbbbb")]
    with pytest.raises((failures.RepositoryDamaged, failures.ExportMissing), match=f"{pack}|{exports_of[0]}|index/"):
        [contents(reopen(repo), each) for each in exports_of]


@pytest.mark.parametrize("how", DAMAGES)
def test_an_export_stores_again_what_only_packs_know_and_is_whole_after_the_repair(how: str) -> None:
    repo = filled()
    damage(repo, how, 0)
    damage(repo, how, -1)
    opened, _ = watching(repo)
    # It has met what only packs know, and does not rely on it all the same.
    assert contents(opened, opened.point("aaaaaaaa").exports[0].export) == CHUNKS
    with opened.writer(token="c", cancel=cancel.CancelToken()) as writer:
        roots = list(writer.add_all(CHUNKS))
        export = writer.finish({"kind": "stream", "source": "test", "roots": roots})
    # A block has 128 records.
    assert 120 <= writer.stats.bytes_new // 3000 <= 128 if how == "block" else writer.stats.bytes_new == 300 * 3000
    assert opened.put_point(point("cccccccc", export))
    repair.repair(reopen(repo))
    assert contents(reopen(repo), export) == CHUNKS
    prune.prune(reopen(repo), unfinished=timedelta(0))
    assert contents(reopen(repo), export) == CHUNKS
    assert check.check(reopen(repo), read_data=True).problems == ()


@pytest.mark.parametrize("how", DAMAGES)
def test_pruning_removes_nothing(how: str) -> None:
    repo = filled()
    damage(repo, how, 0)
    put(repo, "unneeded", noise("unneeded", 9000))
    before = [info.name for info in repo.location.list("")]
    for dry_run in (False, True):
        with pytest.raises(failures.RepositoryDamaged, match="index/"):
            prune.prune(reopen(repo), unfinished=timedelta(0), dry_run=dry_run)
    assert [info.name for info in repo.location.list("")] == before


@pytest.mark.parametrize("how", DAMAGES)
def test_pruning_takes_nothing_of_a_run_that_has_not_ended_for_what_nobody_needs(how: str) -> None:
    repo = make()
    export = put(repo, "waiting", *CHUNKS, run="7kq2m9xw")
    damage(repo, how, 0)
    with pytest.raises(failures.RepositoryDamaged, match="index/"):
        prune.prune(reopen(repo), unfinished=timedelta(0))
    repair.repair(reopen(repo))
    prune.prune(reopen(repo), unfinished=timedelta(0))
    assert contents(reopen(repo), export) == CHUNKS


@pytest.mark.parametrize("how", DAMAGES)
def test_no_restore_point_is_made_of_an_export_that_the_index_has_lost(how: str) -> None:
    repo = make()
    export = put(repo, "waiting", noise("a", 3000), noise("b", 3000), run="7kq2m9xw")
    damage(repo, how, 0)
    with pytest.raises(failures.RepositoryDamaged, match="index/") as caught:
        reopen(repo).put_point(point("aaaaaaaa", export))
    assert "runner repository repair" in str(caught.value.hint)
    assert repo.points() == []
    repair.repair(reopen(repo))
    reopen(repo).put_point(point("aaaaaaaa", export))
    prune.prune(reopen(repo), unfinished=timedelta(0))
    assert contents(reopen(repo), export) == [noise("a", 3000), noise("b", 3000)]


def test_what_cannot_be_repaired_keeps_nobody_from_pruning() -> None:
    repo = make()
    kept = put(repo, "kept", noise("a", 3000))
    repo.put_point(point("aaaaaaaa", kept))
    export = put(repo, "waiting", noise("a", 3000), noise("b", 3000), run="7kq2m9xw")
    damage_segment(repo, "missing", segment_of(repo, "waiting"))
    repo.location.delete(pack_of(repo, noise("a", 3000)))
    with pytest.raises(failures.RepositoryDamaged, match="a run that has not ended"):
        prune.prune(reopen(repo), unfinished=timedelta(0))
    assert repair.repair(reopen(repo)).marks_removed == (f"gc/pending/{export}",)
    repo.delete_point(repo.point("aaaaaaaa").id)
    prune.prune(reopen(repo), unfinished=timedelta(0))
    assert list(repo.location.list("data/")) == []
    with pytest.raises(failures.ExportMissing):
        reopen(repo).put_point(point("bbbbbbbb", export))


def segment_of(repo: repository.Repository, token: str) -> str:
    """Return the segment that names an export."""
    manifest = repo.keys.manifest_id(token)
    return next(f"index/{part.name}" for part in repo.index.parts if any(record.id == manifest for record in part))


def pack_of(repo: repository.Repository, chunk: bytes) -> str:
    """Return the pack that holds a chunk."""
    return records.pack_name(repo.index.locate(repo.keys.chunk_id(crypto.Kind.DATA, chunk)).pack)


@pytest.mark.parametrize("how", ["summary", "empty"])
def test_what_counts_on_all_of_the_index_is_refused(how: str) -> None:
    repo = filled()
    export = repo.point("aaaaaaaa").exports[0].export
    unneeded = put(repo, "c", b"c")
    for number in range(3):
        name = damage(repo, how, number)
    refused: list[Callable[[repository.Repository], object]] = [
        lambda opened: opened.put_point(point("cccccccc", export)),
        lambda opened: opened.delete_export(unneeded),
        stats.collect,
    ]
    for each in refused:
        with pytest.raises(failures.RepositoryDamaged, match="index/") as caught:
            each(reopen(repo))
        assert "repair" in str(caught.value.hint)
    assert name
    with pytest.raises(failures.ExportMissing):
        reopen(repo).manifest(type(export)("0" * 26))
