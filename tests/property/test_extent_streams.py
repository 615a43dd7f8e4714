"""The arithmetic of extents, compared with what a byte-by-byte model says."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.registry import driver, extents
from runner.registry.driver import Extent

SIZE = 60
DATA, ZERO = "data", "zero"


@st.composite
def streams(draw: st.DrawFn) -> list[Extent]:
    """Draw increasing, disjoint extents, some of them touching, some of them zero."""
    ends = sorted(draw(st.sets(st.integers(0, SIZE), max_size=12)))
    spans = list(itertools.pairwise(ends))
    kept = [span for span in spans if draw(st.booleans())]
    return [Extent(offset=start, length=end - start, zero=draw(st.booleans())) for start, end in kept]


def model(stream: Iterable[Extent]) -> dict[int, str]:
    return {byte: ZERO if one.zero else DATA for one in stream for byte in range(one.offset, one.end)}


def kept(stream: Iterator[Extent]) -> list[Extent]:
    """Collect a result, which has to keep the contract and be as coarse as possible."""
    found = list(extents.checked(stream))
    assert found == list(extents.merged(found))
    return found


@given(streams(), streams())
def test_union_holds_what_is_in_either_and_zero_is_what_nobody_calls_data(one: list[Extent], two: list[Extent]) -> None:
    left, right = model(one), model(two)
    expected = {
        byte: DATA if DATA in (left.get(byte), right.get(byte)) else ZERO for byte in left.keys() | right.keys()
    }
    assert model(kept(extents.union(one, two))) == expected


@given(streams(), streams())
def test_difference_holds_what_is_in_the_first_alone(one: list[Extent], two: list[Extent]) -> None:
    expected = {byte: kind for byte, kind in model(one).items() if byte not in model(two)}
    assert model(kept(extents.without(one, two))) == expected


@given(streams(), streams())
def test_what_is_not_allocated_is_zero(one: list[Extent], allocated: list[Extent]) -> None:
    data = model(allocated)
    expected = {byte: kind if byte in data else ZERO for byte, kind in model(one).items()}
    assert model(kept(extents.zero_outside(one, allocated))) == expected


@given(streams(), st.integers(0, SIZE), st.integers(0, SIZE))
def test_clipping_keeps_what_lies_between(one: list[Extent], start: int, end: int) -> None:
    expected = {byte: kind for byte, kind in model(one).items() if start <= byte < end}
    assert model(extents.checked(extents.clipped(one, start, end))) == expected


@given(st.integers(0, SIZE))
def test_whole_is_everything(size: int) -> None:
    assert model(kept(extents.whole(size))) == dict.fromkeys(range(size), DATA)


@pytest.mark.parametrize("spans", [[(10, 10), (5, 5)], [(0, 11), (10, 1)], [(4, 0)], [(4, -1)]], ids=str)
def test_extents_that_overlap_go_backwards_or_are_empty_are_refused(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(driver.StorageError, match=f"at byte {spans[-1][0]}"):
        list(extents.checked(Extent(offset=offset, length=length) for offset, length in spans))


def test_streams_are_read_no_further_than_needed() -> None:
    def endless() -> Iterator[Extent]:
        yield from (Extent(offset=10 * number, length=5) for number in range(1 << 62))

    assert [one.offset for one in extents.clipped(endless(), 0, 30)] == [0, 10, 20]
    assert next(extents.union(endless(), [])).end == 5
    assert next(extents.without(endless(), [Extent(offset=0, length=7)])).offset == 10
