"""Whatever a location does to a repository: what is finished stays complete, and nothing is left for ever."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from runner.base import cancel, clock, errors, owner
from runner.locations import memory
from runner.repository import access, check, failures, packs, prune, repository
from tests import effort
from tests.unit.repository import unreliable
from tests.unit.repository.making import START, contents, make, noise, point, put

MONTH = timedelta(days=31).total_seconds()
# For each export what it holds; they share much.
CHUNKS = {
    name: [noise(f"{name}{number // 3}" if number % 3 else f"all{number}", 3000) for number in range(12)]
    for name in "abcd"
}


@functools.cache
def started() -> tuple[dict[str, bytes], repository.Repository]:
    """Return a repository with one restore point."""
    repo = make(workers=1)
    repo.put_point(point("aaaaaaaa", put(repo, "a", *CHUNKS["a"])))
    return {info.name: repo.location.get(info.name) for info in repo.location.list("")}, repo


class Bed:
    """A repository on a location that is unreliable, or full, for a while."""

    def __init__(self, seed: int, *, rate: float, room: int | None = None) -> None:
        self.time = clock.FakeClock(START)
        self.inner = memory.Memory(clock=self.time, quota_bytes=room)
        for name, data in started()[0].items():
            self.inner.put(name, [data])
        self.location = unreliable.Unreliable(self.inner, seed=seed, rate=rate)
        self.finished = {"aaaaaaaa": "a"}

    def opened(self, *, clean: bool = False) -> repository.Repository:
        where = self.inner if clean else self.location
        return repository.Repository(where, started()[1].keys, random=started()[1].random, clock=self.time, workers=1)

    def backup(self, name: str) -> None:
        """Do what a run does: look for its export, make it if there is none, store the restore point."""
        repo = self.opened()
        found = repo.find_export(name)
        made = put(repo, name, *CHUNKS[name], run=name) if found is None else found.export
        repo.put_point(point(name * 8, made))
        self.finished[name * 8] = name
        repo.release_exports(name)

    def prune(self) -> None:
        prune.prune(self.opened(), unfinished=timedelta(0))

    def drop(self, name: str) -> None:
        self.finished.pop(name * 8, None)
        self.opened().delete_point(point(name * 8).id)

    def persist(self, action: Callable[[], None]) -> None:
        """Do it until it succeeds; after some failures the times get better."""
        for attempt in range(40):
            try:
                action()
            except errors.RunnerError:
                self.assert_whole()
                if attempt == 20:
                    self.location.rate = 0
                    self.inner._quota = None
                # Locks that could not be removed grow old; those of this process would count for ever.
                self.time.advance(300)
            else:
                self.assert_whole()
                return
        raise AssertionError("it never succeeds")

    def assert_whole(self) -> None:
        repo = self.opened(clean=True)
        stored = {found.id: found for found in repo.points()}
        assert stored.keys() >= self.finished.keys()
        for found in stored.values():
            (reference,) = found.exports
            assert contents(repo, reference.export) == CHUNKS[found.id[0]]

    def assert_nothing_left(self) -> None:
        # Pruning needs a little room for a new index, and what is left by now may be less.
        self.inner._quota = None
        for _ in range(2):
            self.time.advance(MONTH)
            prune.prune(self.opened(clean=True), unfinished=timedelta(0))
        repo = self.opened(clean=True)
        report = check.check(repo, read_data=True)
        assert (report.problems, report.unused_packs) == ((), 0)
        assert {found.id for found in repo.points()} == self.finished.keys()
        needed = {chunk for name in self.finished.values() for chunk in CHUNKS[name]}
        assert sum(info.size for info in self.inner.list("data/")) < 2.2 * sum(map(len, needed)) + 40_000
        assert {info.name.split("/")[1] for info in self.inner.list("gc/")} <= {"expired"}


@pytest.fixture(autouse=True)
def nobody_lives_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every lock that is left behind be one of a machine that nobody sees; and make packs small."""
    numbers = iter(range(1_000_000))
    monkeypatch.setattr(
        owner, "current", lambda: owner.Owner(host="other", boot=f"boot{next(numbers)}", namespace=1, pid=2, started=3)
    )
    monkeypatch.setattr(packs, "CAPACITY", 64 * 1024)


def disturbed(seed: int) -> None:
    draw = random.Random(seed)
    bed = Bed(seed, rate=draw.choice([0.005, 0.02, 0.08]))
    steps = [lambda: bed.backup("b"), bed.prune, lambda: bed.backup("c"), lambda: bed.drop("b"), bed.prune]
    for step in [*steps, lambda: bed.backup("d"), lambda: bed.drop("a"), bed.prune]:
        bed.persist(step)
    bed.assert_nothing_left()


def full(seed: int) -> None:
    draw = random.Random(seed)
    used = sum(map(len, started()[0].values()))
    bed = Bed(seed, rate=0, room=used + draw.randrange(100_000))
    for name in "bcd":
        bed.persist(lambda name=name: bed.backup(name))  # type: ignore[misc]
        bed.persist(lambda name=name: bed.drop(name))  # type: ignore[misc]
        with_room = draw.random() < 0.5
        if with_room:
            bed.persist(bed.prune)
    bed.assert_nothing_left()


GAMES = [disturbed, full]


@pytest.mark.parametrize("game", GAMES)
def test_some_hard_times(game: Callable[[int], None]) -> None:
    for seed in range(15):
        game(seed)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("game", GAMES)
def test_hundreds_of_hard_times(game: Callable[[int], None]) -> None:
    for seed in range(15, 15 + effort.examples(300)):
        game(seed)


class Counting(memory.Memory):
    """A location that counts the bytes of packs, and fails at one of them."""

    def __init__(self, fail_at: int) -> None:
        super().__init__()
        self.arrived = 0
        self.left = fail_at

    def put(self, name: str, data: object, *, overwrite: bool = False) -> None:
        if name.startswith("data/"):
            self.left -= 1
            if self.left == 0:
                raise errors.PermanentError("the network is gone")
            self.arrived += sum(map(len, data))  # type: ignore[call-overload]
        super().put(name, data, overwrite=overwrite)  # type: ignore[arg-type]


@pytest.mark.parametrize("fail_at", [1, 2, 5, 9, 13])
def test_an_interrupted_export_does_not_send_again_what_arrived(fail_at: int) -> None:
    chunks = [noise(str(number), 3000) for number in range(200)]
    undisturbed = Counting(0)
    put(make(undisturbed, workers=1), "a", *chunks)
    place = Counting(fail_at)
    repo = make(place, workers=1)
    with pytest.raises(errors.PermanentError, match="gone"):
        put(repo, "a", *chunks)
    before = place.arrived
    assert before > (fail_at - 4) * 48_000
    again = access.open(place, "secret", clock=repo.clock)
    made = put(again, "a", *chunks)
    assert place.arrived < undisturbed.arrived + 2000
    assert contents(again, made) == chunks
    assert check.check(again, read_data=True).unused_packs == 0


def test_an_export_that_is_cancelled_goes_on_where_it_was() -> None:
    place = Counting(0)
    repo = make(place, workers=1)
    chunks = [noise(str(number), 3000) for number in range(100)]

    def interrupted() -> None:
        with repo.writer(token="a", cancel=cancel.CancelToken()) as writer:
            list(writer.add_all(chunks[:60]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert repo.find_export("a") is None
    before = place.arrived
    put(repo, "a", *chunks)
    assert before > 90_000
    assert place.arrived < 100 * 3020 + 30 * 400


@pytest.mark.parametrize("minutes", [0, 2])
def test_a_killed_export_sends_again_no_more_than_the_last_minute(minutes: int) -> None:
    place = Counting(0)
    repo = make(place, workers=1)
    chunks = [noise(str(number), 3000) for number in range(200)]
    writer = repo.writer(token="a", cancel=cancel.CancelToken())
    writer.__enter__()  # killed: nobody leaves it
    for first in range(0, 160, 40):
        list(writer.add_all(chunks[first : first + 40]))
        repo.clock.advance(60 * minutes)  # type: ignore[attr-defined]
    before = place.arrived
    assert before > 300_000
    put(access.open(place, "secret", clock=repo.clock), "a", *chunks)
    sent_twice = place.arrived - 200 * 3000
    assert (sent_twice < 250_000) == (minutes > 0)


def test_an_export_that_lost_its_lock_leaves_nothing_to_rely_on() -> None:
    place = Counting(0)
    repo = make(place, workers=1)

    def asleep() -> None:
        with repo.writer(token="a", cancel=cancel.CancelToken()) as writer:
            list(writer.add_all([noise(str(number), 3000) for number in range(60)]))
            (name,) = [info.name for info in place.list("locks/")]
            place.put(f"gc/expired/{name.removeprefix('locks/')}", [b""])
            writer.finish({"kind": "stream", "source": "test", "roots": []})

    with pytest.raises(failures.RepositoryLocked):
        asleep()
    assert put(access.open(place, "secret", clock=repo.clock), "a", noise("1", 3000))
    assert place.arrived > 60 * 3000
