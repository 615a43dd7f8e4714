"""Making and opening a repository; exports and restore points."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from runner.base import cancel, clock, errors, ids
from runner.locations import memory
from runner.registry import location as locations
from runner.repository import access, config, encoding, failures, keyslots, prune
from tests.unit.repository.making import START, contents, counted_bytes, make, noise, point, put, reopen


class FailingMemory(memory.Memory):
    """A location on which a put of certain names fails."""

    def __init__(self, failing: str) -> None:
        super().__init__()
        self.failing = failing

    def put(self, name: str, data: Sequence[locations.Buffer], *, overwrite: bool = False) -> None:
        if name.startswith(self.failing):
            raise errors.EnvironmentProblem("the disk is full", code="RT312")
        super().put(name, data, overwrite=overwrite)


def names(location: locations.Location, prefix: str = "") -> list[str]:
    return [info.name for info in location.list(prefix)]


def test_repository_opens_with_its_passphrase() -> None:
    repo = make()
    assert reopen(repo).id == repo.id


def test_wrong_passphrase_is_refused() -> None:
    repo = make()
    with pytest.raises(failures.WrongPassphrase) as caught:
        access.open(repo.location, "other", clock=repo.clock)
    assert caught.value.code == "RT412"
    assert "other" not in str(caught.value)


def test_location_without_repository_is_refused() -> None:
    with pytest.raises(failures.RepositoryMissing):
        access.open(memory.Memory(), "x", clock=clock.FakeClock())


def test_second_repository_at_one_location_is_refused_and_the_first_stays_as_it_was() -> None:
    repo = make()
    before = {name: repo.location.get(name) for name in names(repo.location)}
    with pytest.raises(failures.RepositoryExists):
        make(repo.location)
    assert {name: repo.location.get(name) for name in names(repo.location)} == before


def test_location_that_holds_the_data_of_a_lost_repository_is_refused() -> None:
    repo = make()
    put(repo, "a", b"data")
    repo.location.delete("config")
    with pytest.raises(failures.RepositoryExists):
        make(repo.location)


def test_failed_creation_leaves_nothing() -> None:
    location = FailingMemory("config")
    with pytest.raises(errors.EnvironmentProblem):
        make(location)
    assert names(location) == []


def test_repository_of_a_newer_format_is_refused() -> None:
    repo = make()
    payload = encoding.encode(
        {"format": config.FORMAT, "version": 1, "repository": repo.keys.repository, "features": ["erasure"]}
    )
    repo.location.put("config", [keyslots.checksummed(payload + bytes(32))], overwrite=True)
    with pytest.raises(failures.RepositoryTooNew, match="erasure"):
        reopen(repo)


def test_configuration_that_was_not_written_with_the_master_key_is_refused() -> None:
    repo = make()
    payload = config.Config(repository=repo.keys.repository).payload()
    repo.location.put("config", [keyslots.checksummed(payload + bytes(32))], overwrite=True)
    with pytest.raises(failures.RepositoryDamaged, match="authentic"):
        reopen(repo)


def test_export_is_found_by_its_token_and_by_its_id() -> None:
    repo = make()
    export = put(repo, "token", b"one", noise("two", 100_000))
    other = reopen(repo)
    found = other.find_export("token")
    assert found is not None
    assert found == other.manifest(export)
    assert ids.is_id(export)
    assert contents(other, export) == [b"one", noise("two", 100_000)]
    assert other.find_export("another") is None


def test_export_made_by_another_process_is_found_without_opening_anew() -> None:
    repo = make()
    other = reopen(repo)
    export = put(repo, "token", b"one")
    assert contents(other, export) == [b"one"]


@pytest.mark.parametrize("export", ["x", "0" * 26, "0" * 25 + "u", "../../../../config"])
def test_unknown_export_is_refused(export: str) -> None:
    with pytest.raises(failures.ExportMissing):
        make().manifest(ids.ExportId(export))


@pytest.mark.parametrize("chunks", [(b"",), (b"", b"a", b""), (b"a" * 1000,), (b"a" * 1000, noise("small", 100))])
def test_chunks_of_any_size_come_back(chunks: tuple[bytes, ...]) -> None:
    repo = make()
    export = put(repo, "a", *chunks)
    assert contents(repo, export) == list(chunks)


def test_chunks_that_are_there_already_are_not_stored_again() -> None:
    repo = make()
    chunks = [noise(str(number), 50_000) for number in range(40)]
    put(repo, "first", *chunks)
    with reopen(repo).writer(token="second", cancel=cancel.CancelToken()) as writer:
        list(writer.add_all([*chunks, b"new", b"new"]))
        writer.finish({"kind": "stream", "source": "test", "roots": []})
    assert writer.stats.bytes_new == 3
    assert writer.stats.bytes_stored < 100


def test_ids_of_a_batch_come_in_the_order_of_its_chunks() -> None:
    repo = make()
    chunks = [noise(str(number % 7), 1000 + number % 7) for number in range(300)]
    with repo.writer(token="t", cancel=cancel.CancelToken()) as writer:
        found = writer.add(chunks).result()
        writer.finish({"kind": "stream", "source": "test", "roots": found})
    assert len(set(found)) == 7
    assert list(repo.reader().read(found)) == chunks


def test_export_that_is_left_before_its_end_cannot_be_found() -> None:
    repo = make()
    with repo.writer(token="t", cancel=cancel.CancelToken()) as writer:
        list(writer.add_all([noise(str(number), 1_000_000) for number in range(40)]))
    assert names(repo.location, "index/") == []
    assert names(repo.location, "locks/") == []
    assert repo.find_export("t") is None


@pytest.mark.parametrize("failing", ["data/", "index/"])
def test_failed_store_fails_the_export_and_nothing_of_it_can_be_found(failing: str) -> None:
    location = FailingMemory("nothing")
    repo = make(location)
    location.failing = failing
    with pytest.raises(errors.EnvironmentProblem, match="full"):
        put(repo, "t", *[noise(str(number), 1_000_000) for number in range(100)])
    assert repo.find_export("t") is None
    location.failing = "nothing"
    assert len(contents(repo, put(repo, "t", b"again"))) == 1


def test_cancelled_export_stops() -> None:
    repo = make()
    token = cancel.CancelToken()
    with repo.writer(token="t", cancel=token) as writer:
        found = writer.add_all(noise(str(number), 10) for number in range(10_000))
        next(found)
        token.cancel()
        with pytest.raises(errors.Cancelled):
            list(found)
        with pytest.raises(errors.Cancelled):
            writer.finish({"kind": "stream", "source": "test", "roots": []})
    assert repo.find_export("t") is None


def test_long_export_leaves_checkpoints_in_the_index() -> None:
    repo = make()
    chunks = [number.to_bytes(4, "big") for number in range(100_000)]
    with repo.writer(token="t", cancel=cancel.CancelToken()) as writer:
        list(writer.add_all(chunks))
        # What is durable by now is known to others, who need not store it again.
        assert names(repo.location, "index/")
    with reopen(repo).writer(token="u", cancel=cancel.CancelToken()) as writer:
        list(writer.add_all(chunks[:1000]))
        assert writer.stats.bytes_new == 0


def test_deleted_export_is_gone_and_may_be_made_again() -> None:
    repo = make()
    export = put(repo, "t", b"first")
    repo.delete_export(export)
    assert repo.find_export("t") is None
    assert reopen(repo).find_export("t") is None
    with pytest.raises(failures.ExportMissing):
        repo.manifest(export)
    repo.delete_export(export)
    repo.delete_export(ids.ExportId("0" * 26))
    assert put(repo, "t", b"second") == export
    assert contents(repo, export) == [b"second"]


def test_export_of_a_restore_point_is_not_deleted() -> None:
    repo = make()
    export = put(repo, "t", b"first")
    repo.put_point(point("abcdefgh", export))
    with pytest.raises(failures.ExportInUse) as caught:
        repo.delete_export(export)
    assert caught.value.code == "RT421"
    assert repo.find_export("t") is not None


def test_restore_point_comes_back_as_it_was_stored() -> None:
    repo = make()
    stored = repo.put_point(point("abcdefgh", put(repo, "t", b"first")))
    assert stored == point("abcdefgh", *[reference.export for reference in stored.exports])
    assert reopen(repo).points() == [stored]


def test_storing_a_restore_point_twice_changes_nothing() -> None:
    repo = make()
    first = repo.put_point(point("abcdefgh"))
    assert repo.put_point(point("abcdefgh", created=START + timedelta(hours=1))) == first
    assert repo.points() == [first]


def test_restore_point_of_an_export_that_is_not_there_is_refused() -> None:
    repo = make()
    with pytest.raises(failures.ExportMissing):
        repo.put_point(point("abcdefgh", ids.ExportId("0" * 26)))
    assert repo.points() == []


def test_clock_that_goes_backwards_changes_no_order_of_restore_points() -> None:
    repo = make()
    repo.put_point(point("aaaaaaaa"))
    late = repo.put_point(point("bbbbbbbb", created=START - timedelta(days=3)))
    assert late.created > START
    assert [found.id for found in repo.points()] == ["bbbbbbbb", "aaaaaaaa"]


def test_restore_point_is_found_by_a_unique_prefix() -> None:
    repo = make()
    for name in ("abcdefgh", "abcdefghjk", "abzzzzzz"):
        repo.put_point(point(name))
    assert repo.point("abz").id == "abzzzzzz"
    assert repo.point("abcdefgh").id == "abcdefgh"
    with pytest.raises(errors.UsageError, match="3 restore points") as caught:
        repo.point("ab")
    assert caught.value.code == "RT420"
    for unknown in ("x", "", "../keys", "AB"):
        with pytest.raises(failures.RestorePointMissing):
            repo.point(unknown)


def test_latest_is_the_newest_restore_point_of_all() -> None:
    repo = make()
    with pytest.raises(failures.RestorePointMissing):
        repo.point("latest")
    for name, hours in (("abcdefgh", 1), ("bbzzzzzz", 2), ("abzzzzzz", 3)):
        repo.put_point(point(name, created=START + timedelta(hours=hours)))
    assert repo.point("latest").id == "abzzzzzz"
    # Nothing is deleted by so loose a name.
    with pytest.raises(failures.RestorePointMissing):
        repo.find_point("latest")


def test_deleting_a_restore_point_twice_succeeds() -> None:
    repo = make()
    repo.put_point(point("abcdefgh"))
    repo.delete_point(ids.RestorePointId("abcdefgh"))
    repo.delete_point(ids.RestorePointId("abcdefgh"))
    assert repo.points() == []


def test_restore_point_under_another_name_is_not_believed() -> None:
    repo = make()
    repo.put_point(point("abcdefgh"))
    repo.location.put("points/zzzzzzzz", [repo.location.get("points/abcdefgh")])
    with pytest.raises(failures.RepositoryDamaged):
        repo.point("zzzzzzzz")


def test_damaged_restore_point_keeps_nobody_from_the_others() -> None:
    repo = make()
    repo.put_point(point("aaaaaaaa"))
    repo.location.put("points/aaaaaaaa", [b"x" * 100], overwrite=True)
    stored = repo.put_point(point("bbbbbbbb"))
    with pytest.raises(failures.RepositoryDamaged):
        repo.points()
    seen: list[failures.RepositoryDamaged] = []
    assert repo.points(seen.append) == [stored]
    assert [problem.context["object"] for problem in seen] == ["points/aaaaaaaa"]
    assert repo.point("b") == stored


def test_two_writers_of_one_repository_both_succeed() -> None:
    repo = make()
    shared = [noise(str(number), 100_000) for number in range(50)]
    other = reopen(repo)
    with (
        repo.writer(token="a", cancel=cancel.CancelToken()) as first,
        other.writer(token="b", cancel=cancel.CancelToken()) as second,
    ):
        one, two = list(first.add_all(shared)), list(second.add_all(shared))
        first.finish({"kind": "stream", "source": "test", "roots": one})
        second.finish({"kind": "stream", "source": "test", "roots": two})
    assert one == two
    for export in (repo.find_export("a"), repo.find_export("b")):
        assert export is not None
        assert contents(repo, export.export) == shared


def test_seed_belongs_to_the_repository_and_the_purpose() -> None:
    repo = make()
    assert repo.derive_seed("chunker") == reopen(repo).derive_seed("chunker")
    assert len({repo.derive_seed("chunker"), repo.derive_seed("other"), make().derive_seed("chunker")}) == 3


def test_chunk_ids_of_two_repositories_differ() -> None:
    one, two = make(random=counted_bytes("one")), make(random=counted_bytes("two"))
    assert one.manifest(put(one, "t", b"same")).roots != two.manifest(put(two, "t", b"same")).roots
    assert one.keys.master not in b"".join(one.location.get(name) for name in names(one.location))


def test_default_cost_of_a_passphrase_is_64_mib(usual_costs: Sequence[keyslots.KdfCost]) -> None:
    assert [(cost.memory_kib, cost.iterations, cost.lanes) for cost in usual_costs] == [(64 * 1024, 3, 4)] * 3


class Overtaken(memory.Memory):
    """A location where somebody else writes the configuration at the same moment, and nobody is refused."""

    def put(self, name: str, data: Sequence[locations.Buffer], *, overwrite: bool = False) -> None:
        super().put(name, data, overwrite=overwrite)
        if name == config.NAME:
            super().put(name, [b"of somebody else"], overwrite=True)


def test_who_was_overtaken_while_making_a_repository_is_told() -> None:
    location = Overtaken()
    with pytest.raises(failures.RepositoryExists):
        make(location)
    assert names(location) == [config.NAME]


class Crowded(memory.Memory):
    """A location with too little room for more exports."""

    def check_room(self) -> None:
        raise errors.EnvironmentProblem("it is too full", code="RT312")


def test_location_without_room_takes_no_export_but_can_be_pruned() -> None:
    repo = make(Crowded())
    with pytest.raises(errors.EnvironmentProblem) as caught:
        put(repo, "token", b"data")
    assert caught.value.code == "RT312"
    assert [info.name for info in repo.location.list("locks/")] == []
    prune.prune(repo)
