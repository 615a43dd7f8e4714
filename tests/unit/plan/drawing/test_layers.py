"""The order of boxes within layers."""

from __future__ import annotations

from runner.plan.drawing import layers
from runner.plan.drawing.layers import Bend


def test_a_link_over_several_layers_bends_in_each() -> None:
    found = layers.layered({"a": 0, "b": 1, "c": 2}, [("a", "b"), ("b", "c"), ("a", "c")])
    assert found.chains["a", "c"] == ("a", Bend("a", "c", 1), "c")
    assert set(found.layers[1]) == {"b", Bend("a", "c", 1)}
    assert layers.size({"a": 0, "b": 1, "c": 2}, [("a", "b"), ("b", "c"), ("a", "c")]) == 4


def test_crossings_are_counted() -> None:
    assert layers.crossings([["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")]) == 1
    assert layers.crossings([["a", "b"], ["c", "d"]], [("a", "c"), ("b", "d"), ("a", "d")]) == 0


def test_what_need_not_cross_does_not() -> None:
    number = {"a": 0, "b": 0, "c": 0, "x": 1, "y": 1, "z": 1}
    links = [("a", "z"), ("b", "y"), ("c", "x"), ("a", "y")]
    found = layers.layered(number, links)
    assert layers.crossings(found.layers, found.chains.values()) == 0


def test_without_links_the_order_stays() -> None:
    assert layers.layered({"c": 0, "a": 0, "b": 0}, []).layers == (("c", "a", "b"),)


def test_sweeping_never_makes_it_worse() -> None:
    number = {f"{row}{column}": row for row in range(4) for column in range(6)}
    links = [(f"{row}{column}", f"{row + 1}{column * 5 % 6}") for row in range(3) for column in range(6)]
    found = layers.layered(number, links)
    rows = [[name for name in number if number[name] == row] for row in range(4)]
    assert layers.crossings(found.layers, found.chains.values()) <= layers.crossings(rows, links)
