"""A small model of docs/pruning.md: exports, prunings, a check, locks that are taken away, in every order.

There is one chunk. It lies in the pack `old`, which nothing needs at first; an export refers to it, or stores it anew
in a pack of its own. A process that dies is one that makes no further step, so every state counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import pytest

OLD = "old"
END = 99


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
    seen: frozenset[Segment] = frozenset()


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
    locks: frozenset[str] = frozenset()
    expired: frozenset[str] = frozenset()
    points: frozenset[str] = frozenset()

    def has_chunk(self) -> bool:
        return any(pack in self.packs for segment in self.segments for pack in segment.packs)

    def is_quiet(self) -> bool:
        """Tell whether no check has taken for damage what is none."""
        return self.checker.at != END or not self.checker.missed


def start(writers: str, pruners: str, *, check: bool = False) -> State:
    """Return the beginning; each letter is a name."""
    return State(
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

    def _check(self, state: State, me: Checker) -> Iterator[Checker]:
        match me.at:
            case 0:
                yield Checker(1, state.segments)
            case 1:
                named = {pack for segment in me.seen for pack in segment.packs}
                missed = frozenset(named - state.packs)
                yield Checker(2 if missed else END, me.seen, missed)
            case 2:
                is_settled = me.seen <= state.segments or "looking again" in self._without
                yield Checker(END, missed=me.missed) if is_settled else Checker()

    def _is_lost(self, state: State, lock: str) -> bool:
        return lock in state.expired and "fence" not in self._without

    def _write(self, state: State, me: Writer) -> Iterator[tuple[State, Writer]]:
        on, off = me._replace(at=me.at + 1), Writer(me.name, END)
        again = f"{me.name} again"
        match me.at:
            case 0:
                yield state._replace(locks=state.locks | {me.name}), on
            case 1:
                yield state, on._replace(avoids=state.condemned and "avoiding" not in self._without)
            case 2:
                listed = frozenset((pack, segment.lock) for segment in state.segments for pack in segment.packs)
                yield state, on._replace(listed=listed)
            case 3:
                trusted = {pack for pack, lock in me.listed if not self._is_lost(state, lock)}
                refers = trusted - ({OLD} if me.avoids else set())
                yield state, Writer(me.name, 5 if refers else 4)
            case 4:
                yield state._replace(packs=state.packs | {me.name}), on._replace(stored=True)
            case 5 | 7:
                yield state, off if self._is_lost(state, me.name) else on
            case 6:
                packs = frozenset({me.name} if me.stored else ())
                segment = Segment(me.name, packs, frozenset({me.name}), me.name)
                yield state._replace(segments=state.segments | {segment}), Writer(me.name, 7)
            case 8:
                yield state._replace(locks=state.locks - {me.name} | {again}), on
            case 9:
                found = [segment for segment in state.segments if me.name in segment.exports]
                is_found = any(not self._is_lost(state, segment.lock) for segment in found)
                yield state, Writer(me.name, 10) if is_found else off
            case 10:
                yield state._replace(points=state.points | {me.name}), on
            case 11:
                yield state._replace(locks=state.locks - {again}), off

    def _prune(self, state: State, me: Pruner) -> Iterator[tuple[State, Pruner]]:
        on, off = me._replace(at=me.at + 1), Pruner(me.name, END)
        if me.at in (3, 7, 8, 9):
            # It is killed after it has changed something; where it has not, it might as well not have begun.
            yield state, off
        match me.at:
            case 0 if me.takes:
                yield state._replace(locks=state.locks - {me.takes}), me._replace(takes="")
            case 0:
                yield state, on
                for lock in state.locks:
                    yield state._replace(expired=state.expired | {lock}), me._replace(takes=lock)
            case 1:
                yield state, on._replace(seen=state.segments)
            case 2:
                is_unneeded = OLD in state.packs and not self._needs_old(state, me.seen)
                yield (
                    state._replace(condemned=state.condemned or is_unneeded),
                    on if "marking again" in self._without else Pruner(me.name, 3),
                )
            case 3 if state.condemned:
                waiting = state.locks if state.waiting is None else state.waiting
                is_ripe = not waiting & state.locks or "waiting" in self._without
                yield state._replace(waiting=waiting), on if is_ripe else off
            case 4:
                yield state, on if "marking again" in self._without else on._replace(seen=state.segments)
            case 5:
                spared = "marking again" not in self._without and self._needs_old(state, me.seen)
                yield state, on._replace(at=9 if spared else 6)
            case 6:
                packs = frozenset(pack for segment in me.seen for pack in segment.packs if pack in state.packs)
                new = Segment(me.name, packs - {OLD}, self._kept(state, me.seen), me.name)
                yield state._replace(segments=state.segments | {new}), on
            case 7:
                yield state._replace(segments=state.segments - me.seen), on
            case 8:
                yield state._replace(packs=state.packs - {OLD}), on
            case 9:
                yield state._replace(condemned=False, waiting=None), off

    def _kept(self, state: State, seen: frozenset[Segment]) -> frozenset[str]:
        """Return the exports that are kept; of those whose lock was taken away, the ones that are complete."""
        is_there = any(pack in state.packs for segment in seen for pack in segment.packs)
        return frozenset(
            export
            for segment in seen
            for export in segment.exports
            if is_there or not self._is_lost(state, segment.lock) or export in state.points
        )

    def _needs_old(self, state: State, seen: frozenset[Segment]) -> bool:
        elsewhere = any(pack in state.packs and pack != OLD for segment in seen for pack in segment.packs)
        return bool(self._kept(state, seen)) and not elsewhere


def is_whole(state: State) -> bool:
    """Tell whether every restore point, and every export of which one can be made, can be restored."""
    visible = {export for segment in state.segments for export in segment.exports}
    findable = {export for segment in state.segments if segment.lock not in state.expired for export in segment.exports}
    return state.points <= visible and (not state.points | findable or state.has_chunk())


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


@pytest.mark.parametrize("rule", ["waiting", "avoiding", "marking again", "fence", "looking again"])
def test_without_one_rule_something_is_lost(rule: str) -> None:
    assert explore(start("w", "p", check=rule == "looking again"), rule)[1] is not None
