"""Pruning condemns what running exports may rely on, and removes it when they have finished."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runner.base import cancel, clock
from runner.locations import memory
from runner.repository import check, condemned, failures, locks, points, prune, repository
from tests.unit.repository.making import START, contents, make, noise, point, put, reopen

NOW = timedelta(0)
OLD = [noise(str(number), 100_000) for number in range(10)]


def used() -> tuple[repository.Repository, bytes]:
    """Return a repository with a restore point that needs a tenth of a pack; the rest is that of a deleted one."""
    repo = make()
    put(repo, "old", *OLD)
    repo.put_point(point("aaaaaaaa", put(repo, "kept", OLD[3])))
    return repo, OLD[3]


def sentences(repo: repository.Repository) -> list[condemned.Condemnation]:
    return list(condemned.read_all(repo.location, repo.keys))


def export(repo: repository.Repository, token: str) -> list[bytes]:
    found = repo.find_export(token)
    assert found is not None
    return contents(repo, found.export)


def test_what_a_running_export_may_rely_on_is_condemned_and_removed_when_it_has_finished() -> None:
    repo, kept = used()
    with reopen(repo).writer(token="running", cancel=cancel.CancelToken(), run="7kq2m9xw"):
        first = prune.prune(repo, unfinished=NOW)
        assert (first.exports_condemned, first.exports_removed) == (1, 0)
        assert (first.packs_condemned, first.packs_removed, first.packs_rewritten, first.bytes_freed) == (1, 0, 1, 0)
        assert first.bytes_condemned > 1_000_000
        assert [holder.rpartition(", ")[2] for holder in first.waiting_for] == ["run 7kq2m9xw"]
        # Another pruning has nothing to add.
        assert prune.prune(repo, unfinished=NOW).packs_condemned == 1
        assert len(sentences(repo)) == 1
    second = prune.prune(repo, unfinished=NOW)
    assert (second.exports_removed, second.packs_removed, second.waiting_for) == (1, 1, ())
    assert second.bytes_freed > 890_000
    assert sentences(repo) == []
    assert export(reopen(repo), "kept") == [kept]
    assert check.check(repo, read_data=True).problems == ()


def test_what_has_come_to_be_needed_is_spared() -> None:
    repo, _ = used()
    other = reopen(repo)
    with other.writer(token="running", cancel=cancel.CancelToken(), run="7kq2m9xw") as writer:
        roots = list(writer.add_all(OLD[:6]))
        assert prune.prune(repo, unfinished=NOW).packs_condemned == 1
        writer.finish({"kind": "stream", "source": "test", "roots": roots})
    assert writer.stats.bytes_stored < 1000
    result = prune.prune(repo, unfinished=NOW)
    assert (result.packs_spared, result.packs_removed, result.exports_removed) == (1, 0, 1)
    assert export(reopen(repo), "running") == OLD[:6]
    assert check.check(repo, read_data=True).problems == ()


def test_an_export_that_begins_later_does_not_rely_on_what_is_condemned() -> None:
    repo, _ = used()
    with reopen(repo).lock(locks.Use.SHARED):
        prune.prune(repo, unfinished=NOW)
        with reopen(repo).writer(token="later", cancel=cancel.CancelToken(), run="7kq2m9xw") as writer:
            roots = list(writer.add_all(OLD[:5]))
            writer.finish({"kind": "stream", "source": "test", "roots": roots})
        # The one that is needed was packed anew, and is good to rely on.
        assert 400_000 < writer.stats.bytes_stored < 410_000
    assert prune.prune(repo, unfinished=NOW).packs_removed == 1
    assert export(reopen(repo), "later") == OLD[:5]


def test_an_export_that_is_condemned_is_nothing_to_make_a_restore_point_of() -> None:
    repo = make()
    export_id = put(repo, "a", b"data")
    with reopen(repo).lock(locks.Use.SHARED):
        prune.prune(repo, unfinished=NOW)
        assert repo.manifest(export_id).token == "a"
        assert repo.find_export("a") is None
        with pytest.raises(failures.ExportMissing):
            reopen(repo).put_point(point("aaaaaaaa", export_id))
        assert put(reopen(repo), "a", b"data", run="7kq2m9xw") == export_id
        assert reopen(repo).put_point(point("aaaaaaaa", export_id)).id == "aaaaaaaa"
    prune.prune(repo, unfinished=NOW)
    assert export(reopen(repo), "a") == [b"data"]


def test_who_began_earlier_makes_a_restore_point_of_what_is_condemned() -> None:
    repo = make()
    export_id = put(repo, "a", b"data")
    other = reopen(repo)
    with other.lock(locks.Use.SHARED):
        assert other.manifest(export_id, to_keep=True)
        prune.prune(repo, unfinished=NOW)
        name = points.name_of("aaaaaaaa")
        data = repo.keys.seal_object(name, points.encode(point("aaaaaaaa", export_id)), repo.random)
        repo.location.put(name, [data])
    result = prune.prune(repo, unfinished=NOW)
    assert (result.exports_kept, result.packs_spared) == (1, 1)
    assert export(reopen(repo), "a") == [b"data"]


def test_a_dry_run_says_what_would_be_condemned_and_for_whom_it_would_wait() -> None:
    repo, _ = used()
    before = [info.name for info in repo.location.list("")]
    free = prune.prune(repo, unfinished=NOW, dry_run=True)
    with reopen(repo).writer(token="running", cancel=cancel.CancelToken(), run="7kq2m9xw"):
        held_up = prune.prune(repo, unfinished=NOW, dry_run=True)
        assert held_up == prune.prune(repo, unfinished=NOW)
    assert (held_up.packs_condemned, held_up.bytes_freed, len(held_up.waiting_for)) == (1, 0, 1)
    repo, _ = used()
    assert [info.name.split("/")[0] for info in repo.location.list("")] == [name.split("/")[0] for name in before]
    assert free == prune.prune(repo, unfinished=NOW)


def test_a_condemnation_that_cannot_be_read_holds_up_exports_but_no_restore_and_no_pruning() -> None:
    repo, kept = used()
    with reopen(repo).lock(locks.Use.SHARED):
        prune.prune(repo, unfinished=NOW)
    (sentence,) = sentences(repo)
    repo.location.put(sentence.name, [b"damaged"], overwrite=True)
    assert [problem.object for problem in check.check(repo, read_data=False).problems] == [sentence.name]
    assert contents(reopen(repo), repo.point("aaaaaaaa").exports[0].export) == [kept]
    with pytest.raises(failures.RepositoryDamaged, match=sentence.name):
        put(reopen(repo), "new", *OLD)
    assert prune.prune(repo, unfinished=NOW).packs_removed == 1
    assert put(reopen(repo), "new", *OLD)


def test_a_lock_of_a_machine_that_is_gone_is_not_waited_for_longer_than_half_an_hour() -> None:
    time = clock.FakeClock(START)
    repo = make(memory.Memory(clock=time), clock=time)
    put(repo, "a", b"data")
    with repo.lock(locks.Use.SHARED) as lock:
        name = f"{locks.PREFIX}{lock.name}"
        repo.location.put(name, [b"of somebody else"], overwrite=True)
        assert prune.prune(repo, unfinished=NOW).packs_condemned == 1
        time.advance(timedelta(minutes=31).total_seconds())
        assert prune.prune(repo, unfinished=NOW).packs_removed == 1
        with pytest.raises(failures.RepositoryLocked, match="taken away"):
            lock.confirm()
