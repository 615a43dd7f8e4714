"""The filter over the index: what it lets through, and what it keeps off."""

from __future__ import annotations

import bisect
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base import cancel
from runner.repository import prefixes, repository, segments
from tests.unit.repository.making import make, noise, put, reopen


class Segment:
    """Sorted prefixes."""

    def __init__(self, numbers: list[int]) -> None:
        self._numbers = array("I", sorted(numbers))
        self.count = len(numbers)

    def between(self, low: int, high: int) -> array[int]:
        """Return those from `low` up to but not including `high`."""
        return self._numbers[bisect.bisect_left(self._numbers, low) : bisect.bisect_left(self._numbers, high)]


numbers = st.lists(st.integers(0, 2**32 - 1), max_size=40)


@given(st.lists(numbers, max_size=4), st.lists(numbers, max_size=4), st.booleans())
def test_what_a_segment_has_is_never_denied(first: list[list[int]], later: list[list[int]], asked: bool) -> None:
    made = prefixes.PrefixFilter([Segment(each) for each in first])
    for each in [number for one in first for number in one] if asked else []:
        assert made.may_hold(each)
    for one in later:
        made.add(Segment(one))
    assert all(made.may_hold(number) for one in [*first, *later] for number in one)


def test_most_of_what_is_nowhere_is_denied() -> None:
    draw = random.Random(1)
    held = [draw.getrandbits(32) for _ in range(100_000)]
    made = prefixes.PrefixFilter([Segment(held[:60_000]), Segment(held[60_000:])])
    others = {draw.getrandbits(32) for _ in range(20_000)} - set(held)
    assert all(made.may_hold(number << 24) for number in range(256) for _ in range(11))
    assert sum(map(made.may_hold, others)) < len(others) * 0.22
    assert not made.is_full


def test_filter_says_when_there_are_too_many_for_it() -> None:
    draw = random.Random(1)
    made = prefixes.PrefixFilter([Segment([draw.getrandbits(32) for _ in range(50_000)])])
    made.add(Segment([draw.getrandbits(32) for _ in range(30_000)]))
    assert not made.is_full
    made.add(Segment([draw.getrandbits(32) for _ in range(300_000)]))
    assert made.is_full


class Untouchable(Segment):
    """Prefixes that nobody should go through."""

    def between(self, low: int, high: int) -> array[int]:
        """Fail."""
        raise AssertionError("a part of the filter was made")


def test_who_asks_little_does_not_pay_for_a_filter() -> None:
    made = prefixes.PrefixFilter([Untouchable([1])])
    assert all(made.may_hold(number << 24) for number in range(256) for _ in range(11))
    with pytest.raises(AssertionError, match="was made"):
        made.may_hold(0)


def of_eight_segments() -> repository.Repository:
    """Return a repository with fifty chunks in each segment of its index, opened anew."""
    repo = make()
    for number in range(8):
        put(repo, f"old {number}", *(noise(f"{number} {chunk}", 100) for chunk in range(50)))
    return reopen(repo)


def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that takes the name of each segment that is searched from now on."""
    asked = []
    candidates = segments.Segment.candidates

    def count(segment: segments.Segment, prefix: int) -> range:
        asked.append(segment.name)
        return candidates(segment, prefix)

    monkeypatch.setattr(segments.Segment, "candidates", count)
    return asked


def test_new_chunks_are_not_looked_for_in_the_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    other = of_eight_segments()
    asked = searched(monkeypatch)
    monkeypatch.setattr(prefixes, "_WORTHWHILE", 1)
    with other.writer(token="new", cancel=cancel.CancelToken()) as writer:
        writer.store([noise(f"new {chunk}", 100) for chunk in range(100)])
    # Without the filter, a hundred chunks would be looked for in eight segments each.
    assert len(asked) < 200


def test_chunks_that_were_stored_together_are_found_in_the_same_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    other = of_eight_segments()
    asked = searched(monkeypatch)
    with other.writer(token="again", cancel=cancel.CancelToken()) as writer:
        writer.store([noise(f"3 {chunk}", 100) for chunk in range(50)])
    assert len(asked) < 2 * 50
