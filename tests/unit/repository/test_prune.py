"""Pruning removes what no restore point needs, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runner.base import cancel, errors
from runner.locations import memory
from runner.repository import check, failures, prune, repository
from tests.unit.repository.making import contents, make, noise, point, put, reopen

LATER = timedelta(hours=25).total_seconds()


def pass_time(repo: repository.Repository) -> None:
    repo.clock.advance(LATER)  # type: ignore[attr-defined]


def size(repo: repository.Repository) -> int:
    return sum(info.size for info in repo.location.list("data/"))


def test_export_of_a_deleted_restore_point_is_removed() -> None:
    repo = make()
    kept = put(repo, "a", noise("a", 200_000), b"both")
    gone = put(repo, "b", noise("b", 200_000), b"both")
    repo.put_point(point("aaaaaaaa", kept))
    second = repo.put_point(point("bbbbbbbb", gone))
    repo.delete_point(second.id)
    pass_time(repo)
    result = prune.prune(repo)
    assert (result.exports_kept, result.exports_removed, result.packs_removed) == (1, 1, 1)
    assert size(repo) < 210_000
    assert contents(reopen(repo), kept) == [noise("a", 200_000), b"both"]
    with pytest.raises(failures.ExportMissing):
        repo.manifest(gone)
    assert check.check(repo, read_data=True).problems == ()


def test_shared_chunk_survives_the_export_that_stored_it() -> None:
    repo = make()
    first = put(repo, "a", *[noise(str(number), 100_000) for number in range(10)])
    second = put(repo, "b", noise("3", 100_000))
    repo.put_point(point("bbbbbbbb", second))
    pass_time(repo)
    result = prune.prune(repo)
    assert result.packs_rewritten == 1
    assert size(repo) < 110_000
    assert contents(reopen(repo), second) == [noise("3", 100_000)]
    assert repo.find_export("a") is None
    assert first != second
    assert check.check(repo, read_data=True).problems == ()


def test_pack_of_which_more_than_half_is_needed_is_left_alone() -> None:
    repo = make()
    put(repo, "a", *[noise(str(number), 100_000) for number in range(10)])
    second = put(repo, "b", *[noise(str(number), 100_000) for number in range(7)])
    repo.put_point(point("bbbbbbbb", second))
    pass_time(repo)
    result = prune.prune(repo)
    assert (result.packs_rewritten, result.packs_removed) == (0, 0)
    assert len(contents(reopen(repo), second)) == 7
    # The index forgot the other three, so that they can be stored again.
    third = put(repo, "c", noise("8", 100_000))
    assert contents(repo, third) == [noise("8", 100_000)]
    assert check.check(repo, read_data=True).problems == ()
    # Now the same pack is less than half used.
    repo.delete_point(repo.put_point(point("cccccccc", third)).id)
    repo.delete_point(repo.point("bbbbbbbb").id)
    fourth = put(repo, "d", noise("0", 100_000))
    repo.put_point(point("dddddddd", fourth))
    pass_time(repo)
    assert prune.prune(repo).packs_rewritten == 1
    assert contents(reopen(repo), fourth) == [noise("0", 100_000)]


def test_young_export_without_restore_point_is_kept() -> None:
    repo = make()
    export = put(repo, "a", b"data")
    assert prune.prune(repo).exports_kept == 1
    assert contents(reopen(repo), export) == [b"data"]
    assert prune.prune(repo, unfinished=timedelta(0)).exports_removed == 1
    assert repo.find_export("a") is None


def test_deleted_export_is_removed_whatever_its_age() -> None:
    repo = make()
    repo.delete_export(put(repo, "a", b"data"))
    assert prune.prune(repo).exports_removed == 1
    assert [info.name for info in repo.location.list("")] == [
        "config",
        *[info.name for info in repo.location.list("keys/")],
    ]


def test_pack_that_no_index_names_is_removed() -> None:
    repo = make()
    with repo.writer(token="a", cancel=cancel.CancelToken()) as writer:
        list(writer.add_all([noise(str(number), 1_000_000) for number in range(40)]))
    assert size(repo) > 0
    assert check.check(repo, read_data=True).unused_packs > 0
    prune.prune(repo)
    assert size(repo) == 0


def test_many_index_segments_become_one() -> None:
    repo = make()
    exports = [put(repo, str(number), noise(str(number), 100)) for number in range(10)]
    repo.put_point(point("aaaaaaaa", *exports))
    prune.prune(repo)
    assert len(list(repo.location.list("index/"))) == 1
    assert [contents(reopen(repo), export) for export in exports] == [[noise(str(n), 100)] for n in range(10)]


def test_second_pruning_changes_nothing() -> None:
    repo = make()
    repo.put_point(point("aaaaaaaa", put(repo, "a", noise("a", 300_000))))
    prune.prune(repo)
    before = [info.name for info in repo.location.list("")]
    assert prune.prune(repo).bytes_freed == 0
    assert [info.name for info in repo.location.list("")] == before


def test_dry_run_changes_nothing_and_tells_the_same() -> None:
    repo = make()
    put(repo, "a", noise("a", 300_000))
    pass_time(repo)
    before = [info.name for info in repo.location.list("")]
    planned = prune.prune(repo, dry_run=True)
    assert [info.name for info in repo.location.list("")] == before
    assert prune.prune(repo) == planned
    assert planned.bytes_freed >= 300_000


def test_pruning_is_refused_beside_an_export_and_an_export_beside_pruning() -> None:
    repo = make()
    with repo.writer(token="a", cancel=cancel.CancelToken(), run="7kq2m9xw"):
        with pytest.raises(failures.RepositoryLocked, match="run 7kq2m9xw") as caught:
            prune.prune(reopen(repo))
        assert caught.value.code == "RT416"
    with repo.lock(exclusive=True), pytest.raises(failures.RepositoryLocked):
        put(reopen(repo), "b", b"data")
    assert list(repo.location.list("locks/")) == []


def test_pruning_a_damaged_repository_changes_nothing() -> None:
    repo = make()
    repo.put_point(point("aaaaaaaa", put(repo, "a", noise("a", 300_000))))
    put(repo, "b", noise("b", 300_000))
    pass_time(repo)
    repo.location.delete(next(info.name for info in repo.location.list("index/")))
    before = [info.name for info in repo.location.list("")]
    try:
        prune.prune(reopen(repo))
    except failures.RepositoryDamaged:
        assert [info.name for info in repo.location.list("")] == before
    else:
        assert contents(reopen(repo), repo.point("aaaaaaaa").exports[0].export)


def test_reader_that_was_open_before_finds_chunks_that_were_packed_anew() -> None:
    repo = make()
    put(repo, "a", *[noise(str(number), 100_000) for number in range(10)])
    export = put(repo, "b", noise("3", 100_000))
    repo.put_point(point("bbbbbbbb", export))
    other = reopen(repo)
    roots = other.manifest(export).roots
    reading = other.reader()
    assert reading.chunk(roots[0]) == noise("3", 100_000)
    pass_time(repo)
    assert prune.prune(repo).packs_rewritten == 1
    assert reading.chunk(roots[0]) == noise("3", 100_000)


class Dying(memory.Memory):
    """A location that fails for good after some calls that change it, as if the process had been killed."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 1_000_000

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise errors.PermanentError("killed")

    def put(self, name: str, data: object, *, overwrite: bool = False) -> None:
        self._count()
        super().put(name, data, overwrite=overwrite)  # type: ignore[arg-type]

    def delete(self, name: str) -> None:
        self._count()
        super().delete(name)


def test_pruning_may_be_interrupted_after_any_step() -> None:
    for steps in range(40):
        location = Dying()
        repo = make(location)
        put(repo, "a", *[noise(str(number), 100_000) for number in range(10)])
        export = put(repo, "b", noise("3", 100_000), noise("new", 50_000))
        repo.put_point(point("bbbbbbbb", export))
        repo.delete_export(put(repo, "c", b"c"))
        pass_time(repo)
        location.left = steps
        finished = True
        try:
            prune.prune(repo)
        except errors.PermanentError:
            finished = False
        location.left = 1_000_000
        for info in list(location.list("locks/")):
            location.delete(info.name)
        survivor = reopen(repo)
        assert contents(survivor, export) == [noise("3", 100_000), noise("new", 50_000)]
        assert check.check(survivor, read_data=True).problems == ()
        prune.prune(survivor)
        assert size(repo) < 160_000
        assert contents(reopen(repo), export) == [noise("3", 100_000), noise("new", 50_000)]
        if finished:
            return
    raise AssertionError("pruning never came to its end")
