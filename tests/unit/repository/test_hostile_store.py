"""What docs/security.md says of a curious and of a malicious store."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.base import clock, owner
from runner.locations import memory
from runner.repository import access, check, encoding, failures, keys, keyslots, locks, prune, repository
from tests.unit.repository import tree_samples
from tests.unit.repository.making import CHEAP, START, contents, counted_bytes, make, noise, point, put, reopen

TOP = Path(__file__).resolve().parents[3]
WORD = b"Rumpelstilzchen"


def objects(repo: repository.Repository) -> dict[str, bytes]:
    return {info.name: repo.location.get(info.name) for info in repo.location.list("")}


def restored(stored: dict[str, bytes], repo: repository.Repository) -> repository.Repository:
    """Open a copy of a repository in which the store has put other things."""
    place = memory.Memory(clock=repo.clock)
    for name, data in stored.items():
        place.put(name, [data])
    return access.open(place, "secret", clock=repo.clock)


@pytest.fixture
def filled() -> repository.Repository:
    """A repository with two restore points and several packs and segments."""
    time = clock.FakeClock(START)
    repo = make(memory.Memory(clock=time), clock=time, random=counted_bytes("hostile"))
    exports = [put(repo, seed, noise(seed, 3000), noise(seed + "'", 2000)) for seed in "abc"]
    repo.put_point(point("aaaaaaaa", exports[0]))
    repo.put_point(point("bbbbbbbb", *exports[1:]))
    keys.add(repo, "second", kdf=CHEAP)
    return repo


def test_no_plain_name_or_text_is_in_any_object(tmp_path: Path) -> None:
    word = WORD.decode()
    (tmp_path / word).mkdir()
    (tmp_path / word / word).write_bytes(WORD * 4000)
    (tmp_path / word / "small").write_bytes(WORD)
    bench = tree_samples.Bench(tmp_path)
    repo = bench.repo
    export = bench.backup(tmp_path / word).export
    stored = replace(
        point("aaaaaaaa", export), blueprint=word, blueprint_text=word * 9, inputs={word: word}, object=word
    )
    repo.put_point(stored)
    repo.delete_export(put(repo, word, WORD * 3, run=word))
    found = objects(repo)
    kinds = {name.split("/")[0] for name in found}
    assert {"config", "keys", "data", "index", "points", "gc"} <= kinds
    secrets = (WORD, b"passphrase", str(tmp_path).encode(), repo.keys.master)
    assert [
        name for name, data in found.items() for secret in secrets if secret in data or secret in name.encode()
    ] == []


def test_equal_content_gives_no_equal_objects_in_two_repositories() -> None:
    one, two = make(), make()
    for repo in (one, two):
        put(repo, "a", noise("a", 5000), run="7kq2m9xw")
    shared = set(objects(one).values()) & set(objects(two).values())
    assert shared == set()
    assert {name for name in objects(one) if name.startswith("data/")}.isdisjoint(objects(two))


def test_sizes_of_chunks_cannot_be_read_off_a_pack() -> None:
    repo = make()
    put(repo, "a", b"a" * 1000, noise("b", 70_000), noise("c", 1234))
    for name, data in objects(repo).items():
        if name.startswith("data/"):
            for size in (1234 + 16, 70_000 + 16):
                assert size.to_bytes(4, "big") not in data


def pairs(stored: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    by_kind = itertools.groupby(sorted(stored), key=lambda name: name.split("/")[0])
    for kind, names in [(kind, list(names)) for kind, names in by_kind]:
        yield from itertools.combinations(names, 2) if kind not in ("keys", "gc") else ()


def test_swapped_objects_are_detected_and_named(filled: repository.Repository) -> None:
    stored = objects(filled)
    tried = list(pairs(stored))
    assert len(tried) >= 7
    for one, two in tried:
        swapped = restored({**stored, one: stored[two], two: stored[one]}, filled)
        report = check.check(swapped, read_data=True)
        assert {one, two} <= {problem.object for problem in report.problems}


def test_object_of_another_kind_in_its_place_is_detected(filled: repository.Repository) -> None:
    stored = objects(filled)
    first = {kind: next(name for name in stored if name.startswith(kind)) for kind in ("data/", "index/", "points/")}
    for one, two in itertools.permutations(first.values(), 2):
        report = check.check(restored({**stored, one: stored[two]}, filled), read_data=True)
        assert one in {problem.object for problem in report.problems}


def test_object_of_another_repository_is_detected(filled: repository.Repository) -> None:
    stored, other = objects(filled), make(random=counted_bytes("other"))
    other.put_point(point("aaaaaaaa", put(other, "a", noise("a", 3000))))
    for name, data in objects(other).items():
        if name.startswith("points/"):
            with pytest.raises(failures.RepositoryDamaged):
                restored({**stored, name: data}, filled).point("aaaaaaaa")
    with pytest.raises((failures.RepositoryDamaged, failures.WrongPassphrase)):
        restored({**stored, "config": other.location.get("config")}, filled)


def test_missing_objects_are_detected_and_their_restore_points_named(filled: repository.Repository) -> None:
    stored = objects(filled)
    for name in [name for name in stored if name.startswith("data/")]:
        report = check.check(
            restored({key: data for key, data in stored.items() if key != name}, filled), read_data=False
        )
        (problem,) = report.problems
        assert problem.object == name
        assert problem.restore_points


def test_removed_restore_point_and_older_state_go_unnoticed(filled: repository.Repository) -> None:
    stored = objects(filled)
    older = restored({name: data for name, data in stored.items() if name != "points/bbbbbbbb"}, filled)
    assert [found.id for found in older.points()] == ["aaaaaaaa"]
    assert check.check(older, read_data=True).problems == ()


def test_removed_key_slot_that_is_put_back_opens_again(filled: repository.Repository) -> None:
    slot = next(info.slot for info in keys.slots(filled))
    kept = filled.location.get(keyslots.PREFIX + slot)
    both = {"secret", "second"}
    keys.remove(filled, slot)
    (left,) = [word for word in both if _opens(filled, word)]
    filled.location.put(keyslots.PREFIX + slot, [kept])
    assert all(_opens(filled, word) for word in both - {left})


def _opens(repo: repository.Repository, passphrase: str) -> bool:
    try:
        return access.open(repo.location, passphrase, clock=repo.clock).id == repo.id
    except failures.WrongPassphrase:
        return False


def test_replayed_lock_only_delays(filled: repository.Repository) -> None:
    elsewhere = replace(owner.current(), boot="elsewhere")
    record: dict[str, encoding.CborValue] = {"owner": str(elsewhere), "host": "db-1", "run": ""}
    name = "locks/shared-0000000000000000"
    replayed = filled.keys.seal_object(name, encoding.encode(record), filled.random)
    filled.location.put(name, [replayed])
    assert [found.id for found in reopen(filled).points()] == ["bbbbbbbb", "aaaaaaaa"]
    export = put(reopen(filled), "d", noise("d", 100))
    assert contents(reopen(filled), export) == [noise("d", 100)]
    filled.clock.advance(timedelta(minutes=31).total_seconds())  # type: ignore[attr-defined]
    prune.prune(reopen(filled))
    assert check.check(reopen(filled), read_data=True).problems == ()


def test_lock_that_is_renamed_is_no_lock_of_anybody(filled: repository.Repository) -> None:
    with filled.lock(locks.Use.SHARED):
        (name,) = [info.name for info in filled.location.list("locks/")]
        data = filled.location.get(name)
    filled.location.put("locks/prune-0000000000000000", [data])
    with pytest.raises(failures.RepositoryLocked, match="unreadable"), reopen(filled).lock(locks.Use.PRUNE):
        pass


def test_replayed_mark_of_a_deletion_does_not_hide_an_export_that_was_made_anew(filled: repository.Repository) -> None:
    export = put(filled, "e", noise("e", 100))
    filled.delete_export(export)
    name = f"gc/deleted/{export}"
    mark = filled.location.get(name)
    prune.prune(filled, unfinished=timedelta(0))
    again = reopen(filled)
    assert put(again, "e", noise("e", 100)) == export
    again.location.put(name, [mark], overwrite=True)
    assert contents(reopen(again), export) == [noise("e", 100)]


def test_whoever_removed_a_passphrase_has_not_changed_the_key(filled: repository.Repository) -> None:
    master = filled.keys.master
    keys.change(filled, "secret", "new", kdf=CHEAP)
    assert access.open(filled.location, "new", clock=filled.clock).keys.master == master


def test_every_test_that_the_page_names_exists() -> None:
    page = (TOP / "docs" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) >= 12
    defined = {
        name
        for path in (TOP / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.M)
    }
    assert named <= defined
