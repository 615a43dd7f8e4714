"""A check finds every damaged object and names the restore points concerned."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import timedelta

import pytest

from runner.base import cancel, errors
from runner.locations import memory
from runner.registry.location import ObjectMissing
from runner.repository import access, check, expired, failures, keys, locks, prune, repository, verifying, volumes
from runner.testing import faults
from tests import effort
from tests.property.test_volumes import Image, export
from tests.unit.repository.making import CHEAP, contents, counted_bytes, make, noise, point, put, reopen

VOLUME = Image(9 * 1024 * 1024 + 77, {0: b"\1" * 4096, 20: noise("x", 4096), 2304: b"\2" * 77 + bytes(4019)})


@functools.cache
def objects() -> dict[str, bytes]:
    """Return the objects of a small repository that has one of everything, the same in every process."""
    repo = make(random=counted_bytes(), workers=1)
    first = put(repo, "stream", noise("1", 900), b"text " * 300)
    second = export(repo, VOLUME, "volume").export
    repo.put_point(point("aaaaaaaa", first))
    repo.put_point(point("bbbbbbbb", first, second))
    repo.delete_export(put(repo, "gone", b"gone"))
    put(repo, "unwanted", b"unwanted")
    with repo.lock(locks.Use.SHARED):
        prune.prune(repo, unfinished=timedelta(0))
    put(repo, "waiting", b"waiting", run="7kq2m9xw")
    expired.put(repo.location, repo.keys, "shared-0000000000000000", repo.random)
    return {info.name: repo.location.get(info.name) for info in repo.location.list("")}


def copy(changed: str = "", data: bytes | None = None) -> memory.Memory:
    """Return a location with those objects, one of them changed, or missing."""
    location = memory.Memory()
    for name, content in objects().items():
        if name != changed:
            location.put(name, [content])
        elif data is not None:
            location.put(name, [data])
    return location


def assert_found(name: str, data: bytes | None) -> None:
    """Assert that a changed object is found, by opening the repository or by checking it."""
    location = copy(name, data)
    try:
        repo = access.open(location, "secret", clock=make().clock)
    except errors.RunnerError as problem:
        found = problem.code
    else:
        found = ""
        report = check.check(repo, read_data=True)
    if found:
        assert name.startswith(("config", "keys/"))
        assert found in {"RT410", "RT412", "RT415"}
        return
    assert name in {problem.object for problem in report.problems}
    concerned = {restore_point for problem in report.problems for restore_point in problem.restore_points}
    refused = {each: why for each in ("aaaaaaaa", "bbbbbbbb") if (why := refusal(location, each)) is not None}
    assert concerned >= refused.keys()
    if data is not None:
        assert {problem.context["object"] for problem in refused.values()} <= {name}
    incomplete = {condition.restore_point for condition in report.conditions}
    assert incomplete | {name.removeprefix("points/")} >= refused.keys() >= incomplete
    # All data is there, and the packs say where.
    if name.startswith("index/"):
        assert refused == {}


def restorable(location: memory.Memory, name: str) -> bool:
    """Tell whether a restore point comes back as it was."""
    return refusal(location, name) is None


def refusal(location: memory.Memory, name: str) -> errors.RunnerError | None:
    """Return why a restore point does not come back; None if it comes back as it was."""
    repo = access.open(location, "secret", clock=make().clock)
    try:
        for reference in repo.point(name).exports:
            manifest = repo.manifest(reference.export)
            if manifest.kind == "volume":
                target = Image(volumes.size_of(repo, reference.export))
                volumes.restore_volume(
                    repo, reference.export, target, cancel=cancel.CancelToken(), progress=lambda *_: None
                )
                assert target.blocks == VOLUME.blocks, "a wrong restore is worse than none"
            else:
                assert contents(repo, reference.export) == [noise("1", 900), b"text " * 300]
    except (failures.RepositoryDamaged, failures.ExportMissing, failures.RestorePointMissing) as problem:
        return problem
    return None


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0x41]) + data[position + 1 :]


def positions(size: int, count: int) -> Iterator[int]:
    """Yield about so many positions, the first and the last ones always."""
    step = max(1, size // count)
    yield from sorted({*range(0, size, step), *range(min(4, size)), *range(max(0, size - 40), size, 3), size - 1})


def test_whole_repository_has_no_problems() -> None:
    report = check.check(reopen_copy(), read_data=True)
    assert report.problems == ()
    assert (report.restore_points, report.unused_packs) == (2, 0)
    assert report.objects == len(objects())
    assert report.bytes_read > 2 * 65_536


def reopen_copy() -> repository.Repository:
    return access.open(copy(), "secret", clock=make().clock)


@pytest.mark.parametrize("name", sorted(objects()), ids=lambda name: name[:12])
def test_some_flipped_bytes_of_every_object_are_found(name: str) -> None:
    data = objects()[name]
    for position in positions(len(data), 8):
        assert_found(name, flipped(data, position))


@pytest.mark.parametrize("name", sorted(objects()), ids=lambda name: name[:12])
def test_some_truncations_of_every_object_are_found(name: str) -> None:
    data = objects()[name]
    for length in positions(len(data), 8):
        assert_found(name, data[:length])


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", sorted(objects()), ids=lambda name: name[:12])
def test_every_flipped_byte_and_every_truncation_of_every_object_is_found(name: str) -> None:
    data = objects()[name]
    for position in range(0, len(data), effort.stride(5)):
        assert_found(name, flipped(data, position))
        assert_found(name, data[:position])


@pytest.mark.parametrize("name", sorted(objects()), ids=lambda name: name[:12])
def test_appended_bytes_are_found(name: str) -> None:
    assert_found(name, objects()[name] + b"x")


@pytest.mark.parametrize(
    "name", sorted(name for name in objects() if name.startswith(("data/", "config", "keys/"))), ids=lambda n: n[:12]
)
def test_missing_object_is_found(name: str) -> None:
    assert_found(name, None)


def test_missing_index_segment_is_found_if_anybody_needs_it_and_keeps_no_restore_point_from_being_restored() -> None:
    found = []
    for name in objects():
        if name.startswith("index/"):
            location = copy(name)
            report = check.check(access.open(location, "secret", clock=make().clock), read_data=True)
            assert [refusal(location, each) for each in ("aaaaaaaa", "bbbbbbbb")] == [None, None]
            assert report.conditions == ()
            assert [problem.object for problem in report.problems] in ([], ["index/"])
            found += [problem.message for problem in report.problems]
    awaited, needed = sorted(found, key=lambda message: "restore points" in message)
    assert "of a run that has not ended is in no segment" in awaited
    assert "chunks that restore points need are in no segment" in needed


def test_check_without_data_finds_what_is_not_within_a_chunk() -> None:
    pack = max((name for name in objects() if name.startswith("data/")), key=lambda name: len(objects()[name]))
    data = objects()[pack]
    for changed, found in ((flipped(data, 5), False), (flipped(data, len(data) - 30), True), (data[:-1], True)):
        repo = access.open(copy(pack, changed), "secret", clock=make().clock)
        assert bool(check.check(repo, read_data=False).problems) == found


def test_damaged_slot_is_found_when_another_one_opens_the_repository() -> None:
    repo = reopen_copy()
    slot = next(info.name for info in repo.location.list("keys/"))
    keys.add(repo, "other", kdf=CHEAP)
    repo.location.put(slot, [flipped(objects()[slot], 30)], overwrite=True)
    opened = access.open(repo.location, "other", clock=repo.clock)
    assert [problem.object for problem in check.check(opened, read_data=False).problems] == [slot]


def test_verifying_an_export_reads_all_of_it_and_finds_damage() -> None:
    repo = reopen_copy()
    for reference in repo.point("bbbbbbbb").exports:
        assert verifying.verify_export(
            repo, reference.export, cancel=cancel.CancelToken(), progress=lambda *_: None
        ) == (2400 if repo.manifest(reference.export).kind == "stream" else 2 * 65_536 + 77 + 3 * 4096)
    for name in objects():
        if name.startswith("data/"):
            broken = access.open(copy(name, flipped(objects()[name], 3)), "secret", clock=repo.clock)
            failed = 0
            for reference in broken.point("bbbbbbbb").exports:
                try:
                    verifying.verify_export(
                        broken, reference.export, cancel=cancel.CancelToken(), progress=lambda *_: None
                    )
                except failures.RepositoryDamaged:
                    failed += 1
            assert failed == (0 if check_is_unneeded(broken, name) else 1)


def check_is_unneeded(repo: repository.Repository, name: str) -> bool:
    return not any(
        name == problem.object and problem.restore_points for problem in check.check(repo, read_data=True).problems
    )


def test_nothing_is_changed_by_a_check() -> None:
    repo = reopen_copy()
    check.check(repo, read_data=True)
    assert {info.name: repo.location.get(info.name) for info in repo.location.list("")} == objects()
    with pytest.raises(ObjectMissing):
        repo.location.get("locks/any")
    assert reopen(repo).points()[0].id == "bbbbbbbb"


def read_only() -> faults.FaultyLocation:
    """Return a location with those objects that takes no new ones."""
    refusal = errors.EnvironmentProblem("it cannot be used: Read-only file system", code="RT311")
    return faults.FaultyLocation(copy(), faults.FaultSet(faults.Fault(method="put", call=0, error=refusal)))


def test_a_read_only_location_is_checked() -> None:
    report = check.check(access.open(read_only(), "secret", clock=make().clock), read_data=True)
    assert report.problems == ()
    assert report.bytes_read > 0
