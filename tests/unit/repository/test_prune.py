"""Pruning removes what no restore point needs, and nothing else."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

from runner.base import cancel, clock, errors, ids
from runner.locations import memory
from runner.registry import location as locations
from runner.repository import access, check, crypto, failures, prune, records, repository, stages
from runner.testing import faults
from tests.unit.repository.making import START, contents, counted_bytes, make, noise, point, put, reopen

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


def test_pack_that_cannot_be_packed_anew_stays_and_all_else_is_done() -> None:
    repo = make()
    for name in ("a", "b"):
        put(repo, name, noise(name, 100_000), *[noise(f"{name}{number}", 100_000) for number in range(9)])
    needed = [put(repo, f"{name}, kept", noise(name, 100_000)) for name in ("a", "b")]
    repo.put_point(point("aaaaaaaa", *needed))
    put(repo, "c", noise("c", 300_000))
    pass_time(repo)
    pack, offset = _place(repo, noise("a", 100_000))
    data = bytearray(repo.location.get(pack))
    data[offset] ^= 1
    repo.location.put(pack, [bytes(data)], overwrite=True)

    result = prune.prune(reopen(repo))

    assert (result.packs_damaged, result.packs_rewritten, result.packs_removed) == (1, 1, 1)
    assert repo.location.get(pack) == data
    assert contents(reopen(repo), needed[1]) == [noise("b", 100_000)]
    with pytest.raises(failures.RepositoryDamaged):
        contents(reopen(repo), needed[0])
    again = prune.prune(reopen(repo))
    assert (again.packs_damaged, again.packs_rewritten, again.bytes_freed) == (1, 0, 0)


def _place(repo: repository.Repository, content: bytes) -> tuple[str, int]:
    """Return the pack that holds a chunk and where it begins in there."""
    (record,) = reopen(repo).index.find_all(repo.keys.chunk_id(crypto.Kind.DATA, content))
    return records.pack_name(record.pack), record.offset


def test_a_pruning_says_how_far_it_is_and_counts_chunks_packs_and_bytes() -> None:
    repo = make()
    put(repo, "a", *[noise(str(number), 100_000) for number in range(10)])
    export = put(repo, "b", noise("3", 100_000))
    repo.put_point(point("bbbbbbbb", export))
    pass_time(repo)
    packs = {info.name: info.size for info in repo.location.list("data/")}
    told: list[tuple[stages.Stage, int, int]] = []
    result = prune.prune(repo, progress=lambda *report: told.append(report))
    # Each export has a manifest, which is a chunk as well.
    assert (result.chunks_kept, result.chunks_removed, result.chunks_condemned) == (2, 10, 0)
    assert (result.packs_kept, result.bytes_kept) == (1, min(packs.values()))
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == list(stages.Stage)
    last = {stage: (done, total) for stage, done, total in told}
    assert last[stages.Stage.REMOVING] == (1, 1)
    assert last[stages.Stage.PACKING] == (100_016, 100_016)
    # The chunk that was packed anew is in the index twice.
    assert last[stages.Stage.MARKING] == (13, 13)
    assert (stages.Stage.MARKING, 1, 12) in told


def test_a_reader_looks_once_for_what_was_packed_anew() -> None:
    repo = make()
    put(repo, "a", *[noise(str(number), 10_000) for number in range(100)])
    export = put(repo, "b", *[noise(str(number), 10_000) for number in range(40)])
    repo.put_point(point("bbbbbbbb", export))
    calls = faults.FaultSet()
    other = repository.Repository(
        faults.FaultyLocation(repo.location, calls), repo.keys, random=repo.random, clock=repo.clock
    )
    roots = other.manifest(export).roots
    reading = other.reader()
    # Now it has read the directory of the pack.
    assert [reading.chunk(root) for root in roots[:5]] == [noise(str(number), 10_000) for number in range(5)]
    pass_time(repo)
    assert prune.prune(repo).packs_rewritten == 1
    before = calls.calls["list"]
    assert [reading.chunk(root) for root in roots] == [noise(str(number), 10_000) for number in range(40)]
    # One look at what is condemned, at the segments and at the locks that were taken away.
    assert calls.calls["list"] - before == 3


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


def test_an_interrupted_pruning_leaves_no_export_of_which_a_part_is_gone() -> None:
    for steps in range(40):
        location = Dying()
        repo = make(location, random=counted_bytes())
        put(repo, "a", b"first")
        put(repo, "b", b"second")
        put(repo, "c", b"first", b"second", b"third")
        repo.put_point(point("dddddddd", put(repo, "d", b"fourth")))
        pass_time(repo)
        location.left = steps
        finished = True
        try:
            prune.prune(repo)
        except errors.PermanentError:
            finished = False
        location.left = 1_000_000
        survivor = reopen(repo)
        left = survivor.find_export("c")
        assert left is None or list(survivor.reader().read(left.roots)) == [b"first", b"second", b"third"]
        if finished:
            return
    raise AssertionError("pruning never came to its end")


RUN = "7kq2m9xw"
DAY = timedelta(days=1).total_seconds()


def at_work(*chunks: bytes) -> tuple[repository.Repository, ids.ExportId]:
    """Make a repository with an export of a run that has not ended; its location has the same clock."""
    time = clock.FakeClock(START)
    repo = make(memory.Memory(clock=time), clock=time)
    return repo, put(repo, "a", *chunks, run=RUN)


def marks(repo: repository.Repository) -> list[str]:
    return [info.name for info in repo.location.list("gc/pending/")]


def test_the_exports_of_a_run_that_waits_are_kept() -> None:
    repo, export = at_work(b"data")
    repo.clock.advance(29 * DAY)  # type: ignore[attr-defined]
    assert prune.prune(repo, unfinished=timedelta(0)).exports_kept == 1
    assert contents(reopen(repo), export) == [b"data"]
    assert repo.put_point(point("aaaaaaaa", export)).id == "aaaaaaaa"


def test_the_exports_of_a_run_that_waits_too_long_are_removed() -> None:
    repo, export = at_work(b"data")
    repo.clock.advance(31 * DAY)  # type: ignore[attr-defined]
    assert prune.prune(repo).exports_removed == 1
    assert marks(repo) == []
    with pytest.raises(failures.ExportMissing):
        repo.put_point(point("aaaaaaaa", export))
    assert repo.points() == []


def test_a_run_that_goes_on_keeps_its_exports_longer() -> None:
    repo, _ = at_work(b"data")
    put(repo, "other", b"other", run="another")
    repo.clock.advance(20 * DAY)  # type: ignore[attr-defined]
    reopen(repo).keep_exports(RUN)
    repo.clock.advance(20 * DAY)  # type: ignore[attr-defined]
    result = prune.prune(repo)
    assert (result.exports_kept, result.exports_removed) == (1, 1)


def test_the_exports_of_a_run_that_has_ended_are_not_kept() -> None:
    repo, _ = at_work(b"data")
    put(repo, "other", b"other", run="another")
    repo.release_exports(RUN)
    result = prune.prune(repo, unfinished=timedelta(0))
    assert (result.exports_kept, result.exports_removed) == (1, 1)
    assert len(marks(repo)) == 1


def test_a_clock_that_is_wrong_here_takes_nothing_from_a_run_that_waits() -> None:
    repo, _ = at_work(b"data")
    other = access.open(repo.location, "secret", clock=clock.FakeClock(START + timedelta(days=400)))
    assert prune.prune(other).exports_kept == 1


def test_an_export_that_a_run_has_deleted_is_removed() -> None:
    repo, export = at_work(b"data")
    repo.delete_export(export)
    assert prune.prune(repo).exports_removed == 1


def test_an_export_that_a_run_has_deleted_is_not_missed_when_it_was_removed() -> None:
    repo, export = at_work(b"data")
    repo.delete_export(export)
    repo.clock.advance(DAY)  # type: ignore[attr-defined]
    assert prune.prune(repo).exports_removed == 1
    # The run goes on.
    reopen(repo).keep_exports(RUN)
    assert prune.prune(repo).exports_removed == 0
    assert check.check(repo, read_data=True).problems == ()


def test_a_run_costs_its_export_two_marks_and_no_other_request() -> None:
    counted = []
    for run in ("", RUN):
        calls = faults.FaultSet()
        put(make(faults.FaultyLocation(memory.Memory(), calls)), "a", b"data", run=run)
        counted.append(Counter(calls.calls))
    assert counted[1] - counted[0] == {"put": 2}


class Watching(memory.Memory):
    """A location that remembers which locks there were when a restore point was stored."""

    locks: tuple[str, ...] = ()

    def put(self, name: str, data: object, *, overwrite: bool = False) -> None:
        if name.startswith("points/"):
            self.locks = tuple(info.name for info in self.list("locks/"))
        super().put(name, data, overwrite=overwrite)  # type: ignore[arg-type]


def test_nothing_can_be_pruned_while_a_restore_point_is_stored() -> None:
    location = Watching()
    repo = make(location)
    repo.put_point(point("aaaaaaaa", put(repo, "a", b"data")))
    assert [name.partition("-")[0] for name in location.locks] == ["locks/shared"]


class Locking(memory.Memory):
    """A location that locks packs and the index until a test unlocks them."""

    def __init__(self, *prefixes: str) -> None:
        super().__init__()
        self.locked = True
        self.prefixes = prefixes or ("data/", "index/")
        self.unlocked: set[str] = set()
        self.extended: list[str] = []

    def delete(self, name: str) -> None:
        if self.locked_until(name) is not None:
            raise locations.ObjectLocked(f"{name} is locked")
        super().delete(name)

    def locked_until(self, name: str) -> datetime | None:
        return START if self.locked and name.startswith(self.prefixes) and name not in self.unlocked else None

    def extend(self, name: str) -> None:
        self.extended.append(name)

    def check_retention(self) -> str:
        return "locked"


def test_locked_packs_are_left_for_a_later_pruning() -> None:
    place = Locking()
    repo = make(place)
    kept = put(repo, "kept", noise("kept", 100_000))
    put(repo, "dropped", noise("dropped", 100_000))
    repo.put_point(point("aaaaaaaa", kept))

    first = prune.prune(repo, unfinished=timedelta(0))
    assert (first.packs_removed, first.packs_locked, first.packs_kept) == (0, 1, 2)
    place.locked = False
    second = prune.prune(repo, unfinished=timedelta(0))
    assert (second.packs_removed, second.packs_locked, second.packs_kept) == (1, 0, 1)
    assert contents(reopen(repo), kept) == [noise("kept", 100_000)]


class Held(memory.Memory):
    """A location that holds what it has until a test releases it, and tells nobody before."""

    def __init__(self) -> None:
        super().__init__()
        self.held = True

    def delete(self, name: str) -> None:
        if self.held and name.startswith("data/"):
            raise locations.ObjectLocked(f"{name} is under a legal hold")
        super().delete(name)


def test_packs_under_a_legal_hold_are_left_for_a_later_pruning() -> None:
    place = Held()
    repo = make(place)
    kept = put(repo, "kept", noise("kept", 100_000))
    put(repo, "dropped", noise("dropped", 100_000))
    put(repo, "dropped too", noise("dropped too", 100_000))
    repo.put_point(point("aaaaaaaa", kept))

    for _ in range(2):
        found = prune.prune(repo, unfinished=timedelta(0))
        assert (found.packs_removed, found.packs_locked, found.packs_kept) == (0, 2, 3)
        assert (found.packs_spared, found.bytes_freed) == (0, 0)
    place.held = False
    last = prune.prune(reopen(repo), unfinished=timedelta(0))
    assert (last.packs_removed, last.packs_locked, last.packs_kept) == (2, 0, 1)
    assert contents(reopen(repo), kept) == [noise("kept", 100_000)]
    assert len(list(place.list("data/"))) == 1


def test_locks_of_what_restore_points_use_are_extended_and_no_others() -> None:
    place = Locking()
    repo = make(place)
    kept = put(repo, "kept", noise("kept", 100_000))
    (pack,) = [info.name for info in place.list("data/")]
    put(repo, "dropped", noise("dropped", 100_000))
    repo.put_point(point("aaaaaaaa", kept))

    prune.prune(repo, unfinished=timedelta(0))
    (slot,) = [info.name for info in place.list("keys/")]
    index = [f"index/{segment.name}" for segment in reopen(repo).index.parts]
    assert sorted(place.extended) == sorted(["config", slot, pack, *index])
    assert len(index) < len(list(place.list("index/")))


def test_what_a_locked_segment_says_of_packs_that_are_gone_counts_no_more() -> None:
    place = Locking()
    repo = make(place)
    kept = put(repo, "kept", noise("kept", 100_000))
    dropped = put(repo, "dropped", noise("dropped", 100_000))
    repo.put_point(point("aaaaaaaa", kept))
    old = [info.name for info in place.list("index/")]
    # The locks of packs end, those of the index do not yet.
    place.prefixes = ("index/",)
    assert prune.prune(repo, unfinished=timedelta(0)).packs_removed == 1
    assert len([info.name for info in place.list("index/")]) == len(old) + 1
    assert set(place.extended).isdisjoint(old)
    assert check.check(reopen(repo), read_data=True).problems == ()
    assert contents(reopen(repo), kept) == [noise("kept", 100_000)]
    assert reopen(repo).find_export("dropped") is None
    # Nothing is added by another pruning, and what was removed is stored again when it is needed.
    before = len(list(place.list("")))
    prune.prune(reopen(repo), unfinished=timedelta(0))
    assert len(list(place.list(""))) == before
    assert put(reopen(repo), "dropped", noise("dropped", 100_000)) == dropped
    assert contents(reopen(repo), dropped) == [noise("dropped", 100_000)]
    # When their locks have ended the segments go, and the newer one keeps counting.
    place.unlocked = set(old)
    prune.prune(reopen(repo), unfinished=timedelta(days=1))
    assert {info.name for info in place.list("index/")}.isdisjoint(old)
    assert contents(reopen(repo), dropped) == [noise("dropped", 100_000)]
    assert check.check(reopen(repo), read_data=True).problems == ()


def test_small_locked_segments_are_not_written_anew_every_time() -> None:
    place = Locking()
    repo = make(place)
    exports = [put(repo, str(number), noise(str(number), 100)) for number in range(10)]
    repo.put_point(point("aaaaaaaa", *exports))
    before = len(list(place.list("index/")))
    prune.prune(repo)
    assert len(list(place.list("index/"))) == before == 10
    exports += [put(repo, str(number), noise(str(number), 100)) for number in range(10, 20)]
    repo.put_point(point("bbbbbbbb", *exports))
    prune.prune(repo)
    assert len(list(place.list("index/"))) == 21
    assert [contents(reopen(repo), export) for export in exports] == [[noise(str(n), 100)] for n in range(20)]
    # What is replaced stays replaced when that which replaced it is replaced, and goes in whatever order.
    middle = next(segment for segment in reopen(repo).index.parts if segment.replaces)
    put(repo, "more", noise("more", 100))
    repo.delete_point(repo.point("bbbbbbbb").id)
    place.prefixes = ("index/",)
    prune.prune(repo, unfinished=timedelta(0))
    place.unlocked = {f"index/{middle.name}"}
    prune.prune(repo, unfinished=timedelta(0))
    assert reopen(repo).find_export("15") is None
    assert [contents(reopen(repo), export) for export in exports[:10]] == [[noise(str(n), 100)] for n in range(10)]
    assert check.check(reopen(repo), read_data=True).problems == ()
