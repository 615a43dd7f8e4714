"""A small model of docs/pruning.md: exports, prunings, a check, locks that are taken away, in every order.

There is one chunk. It lies in the pack `old`, which nothing needs at first; an export refers to it, or stores it anew
in its own pack, in which its manifest lies. A process that dies is one that makes no further step, so every state
counts. An index segment may be lost at any moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest

OLD = "old"
END = 99
# What is added to the name of a pack in which there is no more than a manifest.
BARE = "-"


def with_chunk(packs: Iterable[str]) -> frozenset[str]:
    """Return the packs that hold the chunk."""
    return frozenset(pack for pack in packs if not pack.endswith(BARE))


def named(segments: Iterable[Segment]) -> frozenset[str]:
    """Return the packs that some segments name."""
    return frozenset(pack for segment in segments for pack in segment.packs)


def exports(segments: Iterable[Segment]) -> frozenset[str]:
    """Return the exports that some segments name."""
    return frozenset(export for segment in segments for export in segment.exports)


class Segment(NamedTuple):
    """What an index segment says, and under which lock it was stored."""

    name: str
    packs: frozenset[str]
    exports: frozenset[str]
    lock: str


class Writer(NamedTuple):
    """An export, and the restore point that is made of it."""

    name: str
    at: int = 0
    avoids: bool = False
    listed: frozenset[tuple[str, str]] = frozenset()
    stored: bool = False


class Pruner(NamedTuple):
    """A pruning; `takes` is the lock that it is taking away."""

    name: str
    at: int = 0
    takes: str = ""
    promised: frozenset[str] = frozenset()
    ripe: frozenset[str] = frozenset()
    seen: frozenset[Segment] = frozenset()
    gone: frozenset[str] = frozenset()


class Checker(NamedTuple):
    """A check: the segments as of its look, and the packs that it has missed since."""

    at: int = 0
    seen: frozenset[Segment] = frozenset()
    missed: frozenset[str] = frozenset()


class State(NamedTuple):
    """The location, and where everybody is."""

    packs: frozenset[str]
    segments: frozenset[Segment]
    writers: tuple[Writer, ...]
    pruners: tuple[Pruner, ...]
    checker: Checker = Checker(END)
    condemned: bool = False
    waiting: frozenset[str] | None = None
    strays: frozenset[str] = frozenset()
    waiting_strays: frozenset[str] | None = None
    locks: frozenset[str] = frozenset()
    expired: frozenset[str] = frozenset()
    points: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    losable: bool = False
    lost: bool = False

    def has_chunk(self) -> bool:
        return bool(with_chunk(self.packs if self.lost else named(self.segments) & self.packs))

    def has_manifest(self, export: str) -> bool:
        return export in (exports(self.segments) if not self.lost else {pack.rstrip(BARE) for pack in self.packs})

    def is_quiet(self) -> bool:
        """Tell whether no check has taken for damage what is none."""
        return self.checker.at != END or not self.checker.missed


def start(writers: str, pruners: str, *, check: bool = False, losable: bool = False) -> State:
    """Return the beginning; each letter is a name."""
    return State(
        losable=losable,
        checker=Checker(0 if check else END),
        packs=frozenset({OLD}),
        segments=frozenset({Segment("first", frozenset({OLD}), frozenset(), "")}),
        writers=tuple(map(Writer, writers)),
        pruners=tuple(map(Pruner, pruners)),
    )


class Model:
    """What may happen next; each of `without` leaves a rule out."""

    def __init__(self, *without: str) -> None:
        self._without = without

    def following(self, state: State) -> Iterator[State]:
        for number, writer in enumerate(state.writers):
            for after, moved in self._write(state, writer):
                yield after._replace(writers=(*state.writers[:number], moved, *state.writers[number + 1 :]))
        # The second pruning begins when the first has ended, or its lock is gone.
        number = next((number for number, pruner in enumerate(state.pruners) if pruner.at != END), 0)
        for after, pruner in self._prune(state, state.pruners[number]):
            yield after._replace(pruners=(*state.pruners[:number], pruner, *state.pruners[number + 1 :]))

        yield from (state._replace(checker=moved) for moved in self._check(state, state.checker))
        for segment in state.segments if state.losable else ():
            yield state._replace(segments=state.segments - {segment}, losable=False, lost=True)

    def _check(self, state: State, me: Checker) -> Iterator[Checker]:
        match me.at:
            case 0:
                yield Checker(1, state.segments)
            case 1:
                trusted = [segment for segment in me.seen if segment.lock not in state.expired]
                missed = named(trusted) - state.packs
                yield Checker(2 if missed else END, me.seen, missed)
            case 2:
                is_settled = me.seen <= state.segments or "looking again" in self._without
                yield Checker(END, missed=me.missed) if is_settled else Checker()

    def _is_lost(self, state: State, lock: str) -> bool:
        return lock in state.expired and "fence" not in self._without

    def _write(self, state: State, me: Writer) -> Iterator[tuple[State, Writer]]:
        on, off = me._replace(at=me.at + 1), Writer(me.name, END)
        again = f"{me.name} again"
        pack = me.name if me.stored else me.name + BARE
        match me.at:
            case 0:
                yield state._replace(locks=state.locks | {me.name}), on
            case 1:
                yield state, on._replace(avoids=state.condemned and "avoiding" not in self._without)
            case 2:
                listed = frozenset((pack, each.lock) for each in state.segments for pack in with_chunk(each.packs))
                yield state, on._replace(listed=listed)
            case 3:
                trusted = {pack for pack, lock in me.listed if not self._is_lost(state, lock)}
                refers = trusted - ({OLD} if me.avoids else set())
                yield state, Writer(me.name, 4, stored=not refers)
            case 4:
                yield state._replace(packs=state.packs | {pack}), on
            case 5 | 7:
                yield state, off if self._is_lost(state, me.name) else on
            case 6:
                segment = Segment(me.name, frozenset({pack}), frozenset({me.name}), me.name)
                yield state._replace(segments=state.segments | {segment}), Writer(me.name, 7)
            case 8:
                yield state._replace(marks=state.marks | {me.name}), on
            case 9:
                yield state._replace(locks=state.locks - {me.name} | {again}), on
            case 10:
                found = [segment for segment in state.segments if me.name in segment.exports]
                is_found = any(not self._is_lost(state, segment.lock) for segment in found)
                yield state, on if is_found else me._replace(at=12)
            case 11:
                yield state._replace(points=state.points | {me.name}), on
            case 12:
                yield state._replace(marks=state.marks - {me.name}, locks=state.locks - {again}), off

    def _prune(self, state: State, me: Pruner) -> Iterator[tuple[State, Pruner]]:
        on, off = me._replace(at=me.at + 1), Pruner(me.name, END)
        if me.at in (4, 9, 10, 11):
            # It is killed after it has changed something; where it has not, it might as well not have begun.
            yield state, off
        match me.at:
            case 0 if me.takes:
                yield state._replace(locks=state.locks - {me.takes}), me._replace(takes="")
            case 0:
                yield state, on
                for lock in state.locks:
                    yield state._replace(expired=state.expired | {lock}), me._replace(takes=lock)
            case 1 | 5:
                marks = frozenset() if "marks" in self._without else state.marks
                yield state, on._replace(promised=state.points | marks)
            case 2 | 6 if me.at == 6 and "marking again" in self._without:
                yield state, on
            case 2 | 6:
                looked = on._replace(seen=state.segments)
                yield state, looked if self._is_sound(state, looked) else off
            case 3:
                is_unneeded = OLD in state.packs and not self._needs_old(state, me)
                strays = state.packs - named(me.seen)
                waiting = state.waiting_strays if strays <= state.strays else None
                after = state._replace(condemned=state.condemned or is_unneeded, waiting_strays=waiting)
                yield after._replace(strays=state.strays | strays), on
            case 4 if state.condemned or state.strays:
                waiting = state.locks if state.waiting is None else state.waiting
                strays_wait = state.locks if state.waiting_strays is None else state.waiting_strays
                after = state._replace(waiting=waiting, waiting_strays=strays_wait)
                ripe = {"packs"} if state.condemned and self._is_ripe(state, waiting) else set()
                ripe |= {"strays"} if state.strays and self._is_ripe(state, strays_wait) else set()
                yield after, on._replace(ripe=frozenset(ripe)) if ripe else off
            case 7:
                gone = state.strays - named(me.seen) if "strays" in me.ripe else frozenset()
                spared = "marking again" not in self._without and self._needs_old(state, me)
                gone |= {OLD} if "packs" in me.ripe and not spared else set()
                yield state, on._replace(at=8 if gone else 11, gone=gone)
            case 8:
                new = Segment(me.name, named(me.seen) & state.packs - me.gone, self._kept(state, me), me.name)
                yield state._replace(segments=state.segments | {new}), on
            case 9:
                is_there = any(segment.name == me.name for segment in state.segments)
                if is_there or "looking for the new index" in self._without:
                    yield state._replace(segments=state.segments - me.seen if is_there else state.segments), on
            case 10:
                yield state._replace(packs=state.packs - me.gone), on
            case 11:
                if "packs" in me.ripe:
                    state = state._replace(condemned=False, waiting=None)
                if "strays" in me.ripe:
                    state = state._replace(strays=frozenset(), waiting_strays=None)
                yield state, off

    def _is_ripe(self, state: State, waiting: frozenset[str]) -> bool:
        return not waiting & state.locks or "waiting" in self._without

    def _is_sound(self, state: State, me: Pruner) -> bool:
        """Tell whether the index names all that is known to be needed."""
        needed = self._kept(state, me)
        return me.promised <= exports(me.seen) and (not needed or bool(with_chunk(named(me.seen) & state.packs)))

    def _kept(self, state: State, me: Pruner) -> frozenset[str]:
        """Return the exports that are kept; of those whose lock was taken away, the ones that are complete."""
        is_there = with_chunk(named(me.seen) & state.packs)
        return frozenset(
            export
            for segment in me.seen
            for export in segment.exports
            if is_there or not self._is_lost(state, segment.lock) or export in state.points | me.promised
        )

    def _needs_old(self, state: State, me: Pruner) -> bool:
        elsewhere = with_chunk(named(me.seen) & state.packs) - {OLD}
        return bool(self._kept(state, me)) and not elsewhere


def is_whole(state: State) -> bool:
    """Tell whether every restore point, and every export of which one can be made, can be restored.

    Where a segment is lost, packs tell what it has named, so that an export that was marked can be made to count again;
    but for one whose lock was taken away as well, of which no restore point is made then.
    """
    findable = exports(segment for segment in state.segments if segment.lock not in state.expired)
    if state.lost:
        findable |= state.marks - state.expired
    wanted = state.points | findable
    return all(map(state.has_manifest, wanted)) and (not wanted or state.has_chunk())


def explore(beginning: State, *without: str) -> tuple[int, State | None]:
    """Go through all states; return how many there are, and one in which something is lost."""
    model = Model(*without)
    waiting, known = deque([beginning]), {beginning}
    while waiting:
        state = waiting.popleft()
        if not (is_whole(state) and state.is_quiet()):
            return len(known), state
        for after in model.following(state):
            if after not in known:
                known.add(after)
                waiting.append(after)
    return len(known), None


@pytest.mark.parametrize(("writers", "pruners", "least"), [("w", "pq", 2000), ("vw", "p", 10_000)])
def test_nothing_is_lost_in_any_order(writers: str, pruners: str, least: int) -> None:
    count, broken = explore(start(writers, pruners))
    assert broken is None
    assert count > least


def test_no_check_takes_for_damage_what_a_pruning_has_removed() -> None:
    count, broken = explore(start("w", "p", check=True))
    assert broken is None
    assert count > 2000


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_nothing_is_lost_in_any_order_of_two_exports_and_two_prunings() -> None:
    count, broken = explore(start("vw", "pq"))
    assert broken is None
    assert count > 100_000


def test_nothing_is_lost_with_an_index_segment_in_any_order() -> None:
    count, broken = explore(start("w", "p", losable=True))
    assert broken is None
    assert count > 2000


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("writers", "pruners"), [("w", "pq"), ("vw", "p")])
def test_nothing_is_lost_with_an_index_segment_in_more_orders(writers: str, pruners: str) -> None:
    count, broken = explore(start(writers, pruners, losable=True))
    assert broken is None
    assert count > 50_000


@pytest.mark.parametrize("rule", ["marks", "looking for the new index"])
def test_without_one_rule_an_index_segment_takes_with_it_what_it_has_named(rule: str) -> None:
    assert explore(start("w", "p", losable=True), rule)[1] is not None


@pytest.mark.parametrize("rule", ["waiting", "avoiding", "marking again", "fence", "looking again"])
def test_without_one_rule_something_is_lost(rule: str) -> None:
    assert explore(start("w", "p", check=rule == "looking again"), rule)[1] is not None
