"""Exports, a restore, a check and prunings at the same time: the real code, in many orders of its calls."""

from __future__ import annotations

import functools
import itertools
import random
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from runner.base import clock, owner
from runner.locations import memory
from runner.repository import (
    check,
    crypto,
    expired,
    failures,
    index,
    locks,
    prune,
    removing,
    repair,
    repository,
    survey,
    unnamed,
)
from tests import effort
from tests.unit.repository.interleaving import Killed, Schedule, Stage, Staged
from tests.unit.repository.making import START, contents, make, noise, point, put

SHARED = noise("shared", 400)
DEAD = [noise(name, 300) for name in ("dead", "dead too", "dead as well")]
LARGE = noise("large", 40_000)
NEW = {"w": noise("new", 200), "v": noise("new too", 200)}
EXPORTS = {"w": [DEAD[0], SHARED, DEAD[2], NEW["w"]], "v": [DEAD[1], DEAD[2], NEW["v"]]}
KEPT = [SHARED, noise("kept", 100)]
LATE = timedelta(minutes=31).total_seconds()
MONTH = timedelta(days=31).total_seconds()
# What may end a program: it lost its lock, or what it would refer to.
LOSSES = (failures.RepositoryLocked, failures.ExportMissing, Killed)


@functools.cache
def objects() -> tuple[dict[str, bytes], repository.Repository]:
    """Return a repository with one restore point, and four exports of which nothing but a shared chunk is needed."""
    repo = make(workers=1)
    put(repo, "old", LARGE, SHARED)
    repo.put_point(point("aaaaaaaa", put(repo, "kept", *KEPT)))
    put(repo, "older", DEAD[0])
    put(repo, "oldest", DEAD[1])
    put(repo, "oldest of all", DEAD[2])
    return {info.name: repo.location.get(info.name) for info in repo.location.list("")}, repo


@pytest.fixture(autouse=True)
def other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every lock that of a machine of its own, whose processes nobody sees."""
    numbers = itertools.count()
    monkeypatch.setattr(
        owner, "current", lambda: owner.Owner(host="other", boot=f"boot{next(numbers)}", namespace=1, pid=2, started=3)
    )


class World:
    """One location and what the programs do with it."""

    def __init__(
        self,
        *,
        delay: float = 0.0,
        kills: dict[str, int] | None = None,
        filled: tuple[dict[str, bytes], repository.Repository] | None = None,
    ) -> None:
        self.time = clock.FakeClock(START)
        self.location = memory.Memory(clock=self.time, listing_delay=delay)
        stored, self._repo = filled or objects()
        for name, data in stored.items():
            self.location.put(name, [data])
        self.time.advance(delay + 60)
        self.stage = Stage(kills=kills or {})

    def opened(self, program: str = "") -> repository.Repository:
        where = Staged(self.location, self.stage, program) if program else self.location
        return repository.Repository(where, self._repo.keys, random=self._repo.random, clock=self.time, workers=1)

    def export(self, program: str) -> str:
        repo = self.opened(program)
        made = put(repo, program, *EXPORTS[program], run=program)
        return repo.put_point(point(program * 8, made)).id

    def restore(self) -> bool:
        repo = self.opened("restore")
        (reference,) = repo.point("aaaaaaaa").exports
        return contents(repo, reference.export) == KEPT

    def prune(self, program: str) -> prune.PruneResult:
        return prune.prune(self.opened(program), unfinished=timedelta(0))

    def check(self) -> tuple[check.Problem, ...]:
        return check.check(self.opened("check"), read_data=True).problems

    def delete(self) -> None:
        self.opened("delete").delete_point(self.opened().point("aaaaaaaa").id)

    def lose(self) -> None:
        self.stage.call("lose", self._lose)

    def _lose(self) -> None:
        """Lose the segment that names the export of `w`, as a broken disk does."""
        index = self.opened().index
        manifest = self._repo.keys.manifest_id("w")
        for segment in index.parts:
            if any(record.id == manifest for record in segment):
                self.location.delete(f"index/{segment.name}")

    def sleep(self) -> None:
        self.stage.call("sleep", lambda: self.time.advance(LATE))

    def bodies(self, names: Sequence[str]) -> dict[str, Callable[[], object]]:
        known: dict[str, Callable[[], object]] = {
            "restore": self.restore,
            "check": self.check,
            "delete": self.delete,
            "sleep": self.sleep,
            "lose": self.lose,
            **{name: functools.partial(self.prune, name) for name in ("prune", "again")},
            **{name: functools.partial(self.export, name) for name in EXPORTS},
        }
        return {name: known[name] for name in names}

    def assert_whole(self) -> None:
        """Assert that every restore point is complete, and so is every export that a run would find."""
        repo = self.opened()
        for stored in repo.points():
            expected = EXPORTS.get(stored.id[0], KEPT)
            assert [contents(repo, reference.export) for reference in stored.exports] == [expected]
        for token, chunks in EXPORTS.items():
            found = repo.find_export(token)
            assert found is None or contents(repo, found.export) == chunks

    def assert_nothing_left(self) -> None:
        """Assert that pruning, once all locks are gone, leaves what restore points need and no more."""
        for _ in range(2):
            self.time.advance(MONTH)
            prune.prune(self.opened(), unfinished=timedelta(0))
        self.assert_whole()
        repo = self.opened()
        assert check.check(repo, read_data=True).problems == ()
        needed = {stored.exports[0].export for stored in repo.points()}
        assert {manifest.export for manifest in repo.manifests()} == needed
        assert check.check(repo, read_data=False).unused_packs == 0
        chunks = {chunk for stored in repo.points() for chunk in EXPORTS.get(stored.id[0], KEPT)}
        assert sum(info.size for info in self.location.list("data/")) < sum(map(len, chunks)) + 1500 * len(needed) + 500
        assert {info.name.split("/")[1] for info in self.location.list("gc/")} <= {"expired"}
        assert list(self.location.list("locks/")) == []


def shuffled(seed: int, *, switch: float = 0.3) -> Schedule:
    """Choose at random, mostly the program that went last."""
    draw = random.Random(seed)

    def choose(ready: Sequence[str], last: str) -> str:
        return last if last in ready and draw.random() > switch else draw.choice(list(ready))

    return choose


def scripted(steps: Sequence[str], calls: int) -> Schedule:
    """Run programs one after another.

    Each goes on to its end, but in a step like `v 10` it makes only so many calls, and in one like `w *` as many as
    `calls` says.
    """
    left = [step.partition(" ") for step in steps]
    done = 0

    def choose(ready: Sequence[str], _last: str) -> str:
        nonlocal done
        while left[0][0] not in ready or done == (calls if left[0][2] == "*" else int(left[0][2] or -1)):
            left.pop(0)
            done = 0
        done += 1
        return left[0][0]

    return choose


def play(names: Sequence[str], schedule: Schedule, world: World, *, may_fail: bool) -> dict[str, object]:
    outcomes = world.stage.run(world.bodies(names), schedule)
    for name, outcome in outcomes.items():
        if isinstance(outcome, BaseException):
            # Of two prunings one has to go.
            expected = LOSSES if may_fail or name in ("prune", "again") else ()
            if not isinstance(outcome, expected):
                raise outcome
    assert outcomes.get("restore", True) is True or isinstance(outcomes["restore"], Killed)
    assert outcomes.get("check", ()) == ()
    world.assert_whole()
    world.assert_nothing_left()
    return outcomes


ALL = ("w", "v", "prune", "restore", "check")


def in_any_order(seed: int) -> None:
    outcomes = play(ALL, shuffled(seed), World(), may_fail=False)
    assert (outcomes["w"], outcomes["v"]) == ("wwwwwwww", "vvvvvvvv")


def two_prunings(seed: int) -> None:
    play(("w", "v", "prune", "again", "restore", "check"), shuffled(seed, switch=0.05), World(), may_fail=False)


def lagging(seed: int) -> None:
    play(ALL, shuffled(seed), World(delay=5.0), may_fail=False)


def sleeping_and_killed(seed: int) -> None:
    draw = random.Random(seed)
    kills = {draw.choice(["w", "v", "prune", "again"]): draw.randrange(1, 60) for _ in range(draw.randrange(3))}
    names = ("w", "v", "prune", "again", "restore", "check", "sleep")
    play(names, shuffled(seed, switch=draw.choice([0.05, 0.2, 0.5])), World(kills=kills), may_fail=True)


GAMES = [in_any_order, two_prunings, lagging, sleeping_and_killed]


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("seed", range(5))
def test_in_some_orders(game: Callable[[int], None], seed: int) -> None:
    game(seed)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("game", GAMES)
def test_in_hundreds_of_orders(game: Callable[[int], None]) -> None:
    for seed in range(5, 5 + effort.examples(300)):
        game(seed)


def programs_of(steps: Sequence[str]) -> list[str]:
    return sorted({each.partition(" ")[0] for each in steps})


def calls_of(steps: Sequence[str]) -> int:
    """Return how many calls the program of a step like `w *` makes in a script when it is not stopped there."""
    world = World()
    world.stage.run(world.bodies(programs_of(steps)), scripted(steps, sys.maxsize))
    (stopped,) = (each.removesuffix(" *") for each in steps if each.endswith(" *"))
    return world.stage.programs[stopped].calls


def play_script(steps: Sequence[str], step: int) -> None:
    """Stop one program of a script at each of its calls, or at every so many, and let others go on meanwhile."""
    names = programs_of(steps)
    for calls in range(step // 2, calls_of(steps) + 1, step):
        play(names, scripted(steps, calls), World(), may_fail="sleep" in names)


WHILE_OTHERS_WAIT = ("v 10", "prune", "w *", "v", "again", "w")
SCRIPTS = [
    ("w *", "prune", "w"),
    ("w *", "restore", "w"),
    ("prune *", "w", "prune"),
    ("prune *", "restore", "prune"),
    ("restore *", "w", "prune", "restore"),
    ("check *", "w", "prune", "check"),
    ("check *", "delete", "prune", "check"),
    ("check *", "prune", "w", "again", "check"),
    ("w", "check *", "prune", "check"),
    ("prune *", "check", "prune"),
    ("w *", "check", "w"),
    ("v *", "prune", "w", "v", "again"),
    WHILE_OTHERS_WAIT,
    ("prune *", "again", "w", "prune"),
    ("w *", "sleep", "prune", "again", "w"),
    ("prune *", "sleep", "again", "w", "prune"),
    ("w *", "sleep", "prune", "w", "check"),
]


@pytest.mark.parametrize("steps", SCRIPTS, ids="-".join)
def test_a_program_stops_while_others_go_on(steps: Sequence[str]) -> None:
    play_script(steps, 11)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("steps", SCRIPTS, ids="-".join)
def test_a_program_stops_at_every_call_while_others_go_on(steps: Sequence[str]) -> None:
    play_script(steps, 1)


# In each, the segment of an export is lost, and a pruning is next; what `v` needs is condemned by it.
LOSSES_OF_SEGMENTS = [("w *", "lose", "prune", "again", "w"), ("w", "prune *", "lose", "prune", "v", "again")]


def play_losing(steps: Sequence[str], step: int) -> int:
    """Do what `play_script` does where a segment is lost; return how often somebody has noticed it."""
    noticed = 0
    for calls in range(calls_of(steps), 0, -step):
        world = World()
        outcomes = world.stage.run(world.bodies(programs_of(steps)), scripted(steps, calls))
        problems = [outcome for outcome in outcomes.values() if isinstance(outcome, BaseException)]
        for problem in problems:
            if not isinstance(problem, failures.RepositoryDamaged):
                raise problem
            assert problem.context["object"] == "index/"
        noticed += len(problems)
        repair.repair(world.opened())
        assert check.check(world.opened(), read_data=True).problems == ()
        # What could not be finished can be now.
        for program in (name for name in EXPORTS if isinstance(outcomes.get(name), failures.RepositoryDamaged)):
            made = world.opened().find_export(program)
            assert made is not None
            world.opened().put_point(point(program * 8, made.export))
        world.assert_whole()
        world.assert_nothing_left()
    return noticed


@pytest.mark.parametrize("steps", LOSSES_OF_SEGMENTS, ids="-".join)
def test_nothing_is_lost_with_an_index_segment(steps: Sequence[str]) -> None:
    assert play_losing(steps, 9) > 0


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("steps", LOSSES_OF_SEGMENTS, ids="-".join)
def test_nothing_is_lost_with_an_index_segment_at_any_call(steps: Sequence[str]) -> None:
    assert play_losing(steps, 1) > 1


# What each of these takes away from what notices that a segment is lost.
BLINDNESS: dict[str, tuple[object, str, object, tuple[str, ...]]] = {
    "nobody reads the marks": (unnamed, "find", lambda *_: [], LOSSES_OF_SEGMENTS[0]),
    "nobody looks for the new index": (removing.Remover, "_refuse_named", lambda *_: None, LOSSES_OF_SEGMENTS[1]),
}


@pytest.mark.parametrize("mutation", BLINDNESS)
def test_without_a_look_at_the_index_more_than_a_segment_is_lost(
    mutation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, name, instead, steps = BLINDNESS[mutation]
    monkeypatch.setattr(where, name, instead)
    with pytest.raises((failures.RepositoryDamaged, failures.ExportMissing, AssertionError)):
        play_losing(steps, 1)


def nobody(_seen: locks.Seen, _use: locks.Use) -> list[locks.Holder]:
    return []


# What each of these takes away from the protocol, and a script in which it is missed.
MUTATIONS = {
    "pruning waits for nobody": (locks.Seen, "of", nobody, ("w *", "prune", "w")),
    "pruning does not mark again": (survey, "listing", lambda _: frozenset(), ("prune *", "w", "prune")),
    "exports rely on what is condemned": (
        index.Index,
        "_is_doomed",
        lambda *_: False,
        WHILE_OTHERS_WAIT,
    ),
    "exports do not notice that they lost their lock": (
        expired,
        "names",
        lambda _: frozenset(),
        ("w *", "sleep", "prune", "again", "w"),
    ),
    "a check does not look again": (check._Check, "_is_settled", lambda *_: True, ("check *", "w", "prune", "check")),
    "a check expects what lost its lock": (
        check._Check,
        "_counts",
        lambda *_: True,
        ("w *", "sleep", "prune", "w", "check"),
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_without_a_part_of_the_protocol_something_is_lost(mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, instead, steps = MUTATIONS[mutation]
    monkeypatch.setattr(where, name, instead)
    if where is expired:
        monkeypatch.setattr(locks.Lock, "ensure", lambda _: None)
    with pytest.raises((failures.RepositoryDamaged, AssertionError)):
        play_script(steps, 1)


@functools.cache
def spoiled() -> tuple[dict[str, bytes], repository.Repository]:
    """Return a repository in which a chunk of the restore point is not what its id says; pruning packs it anew."""
    repo = make(workers=1)
    wrong, name = noise("wrong", 400), crypto.Keys.chunk_id
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            crypto.Keys, "chunk_id", lambda keys, kind, data: name(keys, kind, SHARED if data == wrong else data)
        )
        put(repo, "old", LARGE, wrong)
    repo.put_point(point("aaaaaaaa", put(repo, "kept", *KEPT)))
    return {info.name: repo.location.get(info.name) for info in repo.location.list("")}, repo


@pytest.mark.parametrize("steps", [("check *", "prune", "check"), ("prune *", "check", "prune")], ids="-".join)
def test_a_check_misses_no_damage_that_a_pruning_takes_elsewhere(steps: Sequence[str]) -> None:
    count = 0
    for calls in range(1, 80, 2):
        world = World(filled=spoiled())
        outcomes = world.stage.run(world.bodies(["check", "prune"]), scripted(steps, calls))
        assert isinstance(outcomes["prune"], prune.PruneResult)
        count += outcomes["prune"].packs_rewritten
        problems = outcomes["check"]
        assert isinstance(problems, tuple)
        # Between its phases, pruning leaves the chunk in both packs.
        assert {name for problem in problems for name in problem.restore_points} == {"aaaaaaaa"}
    assert count == 40
