"""Power is lost at any moment: what the location has said to be stored is there, and the repository goes on."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.base import clock, errors, files, owner
from runner.locations import directory
from runner.repository import access, check, packs, prune, repository
from tests import effort
from tests.unit.locations.power import Disk, PowerLoss
from tests.unit.repository.making import CHEAP, START, contents, noise, point, put

CHUNKS = {
    name: [noise(f"{name}{number}" if number % 2 else f"all{number}", 2000) for number in range(9)] for name in "abc"
}
# The number of the boot.
BOOT = {"now": 0}


class Machine:
    """What is done on one machine, and what it has been told to be durable."""

    def __init__(self, root: Path) -> None:
        self.place = directory.Directory(root / "repository", max_used_percent=100)
        self.finished: set[str] = set()
        self.given_up: set[str] = set()
        self.dropped: set[str] = set()

    def work(self) -> None:
        repo = access.create(self.place, "secret", clock=clock.FakeClock(START), kdf=CHEAP, workers=1)
        self.finished.add("")
        for name in "ab":
            self.backup(repo, name)
        self.given_up.add("a")
        repo.delete_point(point("aaaaaaaa").id)
        self.dropped.add("a")
        prune.prune(repo, unfinished=timedelta(0))
        self.backup(repo, "c")

    def backup(self, repo: repository.Repository, name: str) -> None:
        repo.put_point(point(name * 8, put(repo, name, *CHUNKS[name], run=name)))
        self.finished.add(name)
        repo.release_exports(name)


@pytest.fixture(autouse=True)
def boots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no lock survive its machine; and make packs small."""
    me = owner.current()
    monkeypatch.setattr(owner, "current", lambda: replace(me, boot=str(BOOT["now"])))
    monkeypatch.setattr(owner, "is_gone", lambda other: other.boot != str(BOOT["now"]))
    monkeypatch.setattr(packs, "CAPACITY", 64 * 1024)


def changes_of(tmp_path: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        (tmp_path / "whole").mkdir()
        disk = Disk(tmp_path / "whole", patch)
        Machine(tmp_path / "whole").work()
        return disk.changes


def lose_power(tmp_path: Path, seed: int, off_at: int) -> None:
    root = tmp_path / f"before{seed}"
    root.mkdir()
    machine = Machine(root)
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(root, patch)
        disk.off_at = off_at
        try:
            machine.work()
        except PowerLoss:
            pass
        except BaseException as problem:
            # A thread of the export met it first.
            if disk.changes < off_at:
                raise AssertionError("something else went wrong") from problem
        BOOT["now"] += 1
        disk.after_power_loss(tmp_path / f"after{seed}", seed)
    assert_whole(machine, tmp_path / f"after{seed}")


def assert_whole(machine: Machine, root: Path) -> None:
    place = directory.Directory(root / "repository", max_used_percent=100)
    if not machine.finished:
        return
    repo = access.open(place, "secret", clock=clock.FakeClock(START), workers=1)
    found = {stored.id[0]: stored for stored in repo.points()}
    assert found.keys() >= machine.finished - machine.given_up - {""}
    assert not machine.dropped & found.keys()
    for name, stored in found.items():
        assert contents(repo, stored.exports[0].export) == CHUNKS[name]
    assert check.check(repo, read_data=True).problems == ()
    # The same runs go on, and what nobody needs goes.
    for name in "abc":
        made = repo.find_export(name)
        export = put(repo, name, *CHUNKS[name], run=name) if made is None else made.export
        repo.put_point(point(name * 8, export))
        repo.release_exports(name)
    prune.prune(repo, unfinished=timedelta(0))
    report = check.check(repo, read_data=True)
    assert (report.problems, report.unused_packs, report.restore_points) == ((), 0, 3)
    assert {path.parent.name for path in root.rglob("*~")} == set()


def test_power_is_lost_at_some_moments(tmp_path: Path) -> None:
    last = changes_of(tmp_path)
    draw = random.Random(5)
    for seed in range(15):
        lose_power(tmp_path, seed, draw.randrange(1, last + 1))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_power_is_lost_at_every_moment(tmp_path: Path) -> None:
    for seed, off_at in enumerate(list(range(1, changes_of(tmp_path) + 2)) * effort.examples(2)):
        lose_power(tmp_path, seed, off_at)


def nothing(*_arguments: object) -> None:
    return None


@pytest.mark.parametrize(("where", "name"), [(files, "flush_directory"), (Disk, "os_fdatasync")])
def test_a_location_that_does_not_flush_is_found_out(
    where: object, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = changes_of(tmp_path)
    monkeypatch.setattr(where, name, nothing)

    def lose_power_late() -> None:
        for seed in range(20):
            lose_power(tmp_path, seed, last - seed)

    with pytest.raises((AssertionError, errors.RunnerError)):
        lose_power_late()
