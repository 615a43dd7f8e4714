"""Repairing rebuilds the index from the packs, and says what of each restore point is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.locations import memory
from runner.repository import (
    access,
    check,
    check_packs,
    crypto,
    failures,
    locks,
    losses,
    prune,
    records,
    repair,
    repository,
)
from tests import effort
from tests.property.test_volumes import Image, export
from tests.unit.repository import tree_samples
from tests.unit.repository.making import START, contents, make, noise, point, put, reopen
from tests.unit.repository.test_check import copy, flipped, objects, positions, restorable

SEGMENTS = sorted(name for name in objects() if name.startswith("index/"))
COMPLETE = losses.Condition.COMPLETE


def opened(location: memory.Memory) -> repository.Repository:
    return access.open(location, "secret", clock=make().clock)


def assert_repaired(name: str, data: bytes | None) -> repair.RepairResult:
    """Assert that a changed or missing segment is rebuilt."""
    location = copy(name, data)
    before = {info.name for info in location.list("data/")}
    result = repair.repair(opened(location))
    assert check.check(opened(location), read_data=True).problems == ()
    assert [each.condition for each in result.points] == [COMPLETE, COMPLETE]
    assert all(restorable(location, point_id) for point_id in ("aaaaaaaa", "bbbbbbbb"))
    assert {info.name for info in location.list("data/")} == before
    assert list(location.list("locks/")) == []
    return result


@pytest.mark.parametrize("name", SEGMENTS)
def test_an_index_segment_that_is_gone_is_rebuilt(name: str) -> None:
    result = assert_repaired(name, None)
    assert result.records_restored > 0
    assert result.segments_replaced == ()


@pytest.mark.parametrize("name", SEGMENTS)
def test_an_index_segment_with_a_flipped_byte_is_replaced(name: str) -> None:
    for position in positions(len(objects()[name]), 12):
        assert assert_repaired(name, flipped(objects()[name], position)).segments_replaced == (name,)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SEGMENTS)
def test_an_index_segment_with_any_byte_flipped_or_any_length_is_replaced(name: str) -> None:
    data = objects()[name]
    for position in range(0, len(data), effort.stride(5)):
        assert_repaired(name, flipped(data, position))
        assert_repaired(name, data[:position])


def test_the_whole_index_is_rebuilt() -> None:
    location = copy()
    for name in SEGMENTS:
        location.delete(name)
    assert [each.condition for each in repair.repair(opened(location)).points] == [COMPLETE, COMPLETE]
    assert check.check(opened(location), read_data=True).problems == ()
    # The export that was deleted stays so.
    assert opened(location).find_export("gone") is None


def test_a_whole_repository_is_left_as_it_is() -> None:
    location = copy()
    result = repair.repair(opened(location))
    assert (result.segments_replaced, result.records_restored, result.records_dropped) == ((), 0, 0)
    assert {info.name: location.get(info.name) for info in location.list("")} == objects()


def test_a_dry_run_changes_nothing_and_tells_the_same() -> None:
    location = copy(SEGMENTS[0], flipped(objects()[SEGMENTS[0]], 9))
    location.delete(SEGMENTS[1])
    before = {info.name: location.get(info.name) for info in location.list("")}
    planned = repair.repair(opened(location), dry_run=True)
    assert {info.name: location.get(info.name) for info in location.list("")} == before
    assert repair.repair(opened(location)) == planned
    assert planned.records_restored > 0


def test_what_is_in_a_missing_pack_is_dropped_and_comes_back_with_the_pack() -> None:
    repo = make()
    both = put(repo, "both", noise("a", 200), noise("b", 200))
    (pack,) = [info.name for info in repo.location.list("data/")]
    other = put(repo, "other", noise("a", 200), noise("c", 200))
    repo.put_point(point("aaaaaaaa", both))
    repo.put_point(point("bbbbbbbb", other))
    repo.put_point(point("cccccccc", put(repo, "third", noise("d", 200))))
    kept = repo.location.get(pack)
    repo.location.delete(pack)
    result = repair.repair(reopen(repo))
    assert result.packs_missing == (pack,)
    assert result.records_dropped == 3
    assert [each.condition for each in result.points] == ["lost", "lost", "complete"]
    # Now it can be stored again, which heals what shares it.
    again = put(reopen(repo), "again", noise("a", 200))
    assert contents(reopen(repo), again) == [noise("a", 200)]
    assert contents(reopen(repo), other) == [noise("a", 200), noise("c", 200)]
    repo.location.put(pack, [kept])
    result = repair.repair(reopen(repo))
    assert {each.condition for each in result.points} == {COMPLETE}
    assert contents(reopen(repo), both) == [noise("a", 200), noise("b", 200)]


def test_a_pack_whose_directory_is_damaged_is_kept_as_the_index_knows_it() -> None:
    repo = make()
    repo.put_point(point("aaaaaaaa", put(repo, "a", noise("a", 200))))
    (pack,) = [info.name for info in repo.location.list("data/")]
    data = repo.location.get(pack)
    repo.location.put(pack, [data[:-30] + bytes(30)], overwrite=True)
    result = repair.repair(reopen(repo))
    assert result.packs_damaged == (pack,)
    assert [each.condition for each in result.points] == [COMPLETE]
    assert contents(reopen(repo), repo.point("aaaaaaaa").exports[0].export) == [noise("a", 200)]


def test_exports_that_pruning_took_a_part_of_do_not_come_back() -> None:
    repo = make()
    put(repo, "first", noise("a", 90_000), noise("b", 90_000))
    shared = put(repo, "second", noise("c", 90_000), noise("d", 90_000), noise("a", 90_000))
    kept = put(repo, "third", noise("c", 90_000), noise("d", 90_000))
    repo.put_point(point("aaaaaaaa", kept))
    prune.prune(repo, unfinished=timedelta(0))
    assert repo.find_export("second") is None
    for info in list(repo.location.list("index/")):
        repo.location.delete(info.name)
    repair.repair(reopen(repo))
    assert reopen(repo).find_export("second") is None
    assert contents(reopen(repo), kept) == [noise("c", 90_000), noise("d", 90_000)]
    prune.prune(reopen(repo), unfinished=timedelta(days=1))
    assert shared != kept


@pytest.mark.parametrize("use", list(locks.Use))
def test_a_repair_goes_alone(use: locks.Use) -> None:
    repo = make()
    with reopen(repo).lock(use), pytest.raises(failures.RepositoryLocked):
        repair.repair(repo)


def test_marks_that_cannot_be_read_are_removed() -> None:
    location = copy()
    (mark,) = [name for name in objects() if name.startswith("gc/deleted/")]
    location.put(mark, [b"damaged"], overwrite=True)
    assert repair.repair(opened(location)).marks_removed == (mark,)
    # The one that was deleted is unwanted in any case.
    assert prune.prune(opened(location), unfinished=timedelta(0)).exports_removed == 2


@pytest.mark.parametrize("lost", ["b", "long", "list"])
def test_files_that_are_gone_are_named(tmp_path: Path, lost: str) -> None:
    top = tmp_path / "top"
    (top / "below").mkdir(parents=True)
    for name in ("a", "b", "below/long"):
        (top / name).write_bytes(noise(name, 60_000 if name != "below/long" else 3_000_000))
    bench = tree_samples.Bench(tmp_path)
    repo = bench.repo
    export = bench.backup(top).export
    repo.put_point(point("aaaaaaaa", export))
    record = the_record(repo, lost)
    name = records.pack_name(record.pack)
    data = bytearray(repo.location.get(name))
    data[record.offset] ^= 1
    repo.location.put(name, [bytes(data)], overwrite=True)
    (condition,) = check.check(repo, read_data=True).conditions
    (found,) = condition.exports
    assert (condition.condition, found.condition) == (("lost", "lost") if lost == "list" else ("partial", "partial"))
    assert (
        found.lost
        == {
            "b": ("top/b",),
            "long": ("top/below/long",),
            "list": ("a part of the list of files behind its beginning",),
        }[lost]
    )


def the_record(repo: repository.Repository, lost: str) -> records.Record:
    found = [record for segment in repo.index.parts for record in segment]
    if lost == "list":
        root = repo.manifest(repo.points()[0].exports[0].export).roots[0]
        return next(record for record in found if record.id == root)
    if lost == "b":
        return next(record for record in found if record.id == repo.keys.chunk_id(crypto.Kind.DATA, noise("b", 60_000)))
    return max((record for record in found if record.kind == crypto.Kind.DATA), key=lambda record: record.plain)


def test_ranges_of_volumes_that_are_gone_are_named() -> None:
    # With one worker, chunks lie in the pack in the order of the volume.
    repo = make(workers=1)
    image = Image(9 * 1024 * 1024, {number: noise(str(number), 4096) for number in (0, 16, 17, 2000, 2300)})
    repo.put_point(point("aaaaaaaa", export(repo, image, "volume").export))
    chunks = sorted(
        (record for segment in repo.index.parts for record in segment if record.kind == crypto.Kind.DATA),
        key=lambda record: record.ordinal,
    )
    (pack,) = {records.pack_name(record.pack) for record in chunks}
    data = bytearray(repo.location.get(pack))
    for record in chunks[:2]:
        data[record.offset] ^= 1
    repo.location.put(pack, [bytes(data)], overwrite=True)
    (condition,) = check.check(reopen(repo), read_data=True).conditions
    (found,) = condition.exports
    assert (found.condition, found.lost, found.lost_count) == ("partial", ("bytes 0 to 131072",), 1)
    repo.location.delete(pack)
    (condition,) = check.check(reopen(repo), read_data=False).conditions
    assert (condition.condition, condition.exports[0].lost) == ("lost", ())


@pytest.mark.parametrize("percent", [1, 10, 35, 100])
def test_a_share_of_the_packs_is_read_and_each_gets_its_turn(percent: int) -> None:
    salts = [noise(str(number), 32) for number in range(2000)]
    chosen = set()
    for week in range(-(-100 // percent)):
        is_chosen = check_packs.share_of_week(START + timedelta(weeks=week), percent)
        now = {salt for salt in salts if is_chosen(salt)}
        assert abs(len(now) - 20 * percent) < 60
        chosen |= now
    assert len(chosen) == len(salts)
    # On any day of a week the same are read.
    first = check_packs.share_of_week(datetime(2026, 11, 26, tzinfo=UTC), percent)
    last = check_packs.share_of_week(datetime(2026, 12, 2, tzinfo=UTC), percent)
    assert [first(salt) for salt in salts] == [last(salt) for salt in salts]


def test_a_check_says_how_much_it_has_read() -> None:
    repo = make()
    for number in range(40):
        put(repo, str(number), noise(str(number), 100))
    report = check.check(repo, read_data=True, percent=25)
    assert report.packs == 40
    assert 0 < report.packs_read < 25
    assert 100 * report.packs_read < report.bytes_read < 400 * report.packs_read
    assert check.check(repo, read_data=False).packs_read == 0
