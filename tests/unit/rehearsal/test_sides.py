"""Two values differ as deep down as that can be said, and as JSON values do."""

from __future__ import annotations

from typing import Any

import pytest

from runner.rehearsal import sides
from runner.rehearsal.sides import ABSENT, Sides


def _paths(expected: Any, got: Any) -> list[sides.Path]:
    return [path for path, _ in sides.differences(expected, got)]


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), ([1, [2]], (1, (2,))), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (None, None), ("", "")],
)
def test_equal_values_do_not_differ(one: Any, other: Any) -> None:
    assert sides.equal(one, other)


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), ("1", 1), (None, ""), ([], {}), ([1], [True])])
def test_values_of_different_types_differ(one: Any, other: Any) -> None:
    assert not sides.equal(one, other)


def test_mappings_differ_where_their_entries_do() -> None:
    assert _paths({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}) == [("a", "c")]


def test_what_is_missing_or_too_much_is_absent_on_one_side() -> None:
    assert list(sides.differences({"a": 1}, {"b": 2})) == [
        (("a",), Sides(expected=1, got=ABSENT)),
        (("b",), Sides(expected=ABSENT, got=2)),
    ]


def test_lists_of_mappings_differ_by_item() -> None:
    assert _paths([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 3}]) == [(1, "a")]


def test_lists_of_texts_differ_as_a_whole() -> None:
    assert _paths(["a", "b"], ["a", "c"]) == [()]


def test_the_first_item_that_differs_is_known() -> None:
    assert sides.first(Sides(expected=["a", "b"], got=["a", "c"])) == (1,)
    assert sides.first(Sides(expected=["a"], got=["a", "c"])) == (1,)
    assert sides.first(Sides(expected="a", got=["a"])) == ()
