"""Where boxes and bends stand within their layer: near their neighbours, in order, and apart from each other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import msgspec

from runner.plan.drawing.layers import Bend, Layering

_SWEEPS = 10
# Long links are kept straighter than short ones: by how many of the two ends are bends.
_WEIGHTS = {0: 1.0, 1: 2.0, 2: 8.0}
_FREE = 0.05
# A link that is off by less than this is made straight where there is room.
_ALMOST = 26.0
_STRAIGHTENINGS = 3


class Spread(msgspec.Struct, frozen=True):
    """How much room an item needs across its layer, and how far from its neighbours it stands."""

    size: float
    gap: float


def placed(
    layering: Layering, spread: Callable[[str | Bend], Spread], importance: Mapping[tuple[str, str], float]
) -> dict[str | Bend, float]:
    """Return the centre of every item across its layer; the smallest edge is at 0.

    Args:
        layering: What stands in which layer, in which order.
        spread: The room that an item needs.
        importance: How much each link, by its ends, is to be short and straight.
    """
    pulls = _pulls(layering, importance)
    centres: dict[str | Bend, float] = {}
    for row in layering.layers:
        at = 0.0
        for item in row:
            centres[item] = at + spread(item).size / 2
            at += spread(item).size + spread(item).gap
        middle = at / 2
        centres.update((item, centres[item] - middle) for item in row)
    forth = list(range(len(layering.layers)))
    for number in range(_SWEEPS):
        for layer in forth if number % 2 == 0 else reversed(forth):
            row = layering.layers[layer]
            centres.update(zip(row, _settled(row, centres, pulls, spread), strict=True))
    for _ in range(_STRAIGHTENINGS):  # what moved away in one may have made room for the next
        _straighten(layering, centres, spread, importance)
    low = min((centre - spread(item).size / 2 for item, centre in centres.items()), default=0.0)
    return {item: centre - low for item, centre in centres.items()}


def _pulls(
    layering: Layering, importance: Mapping[tuple[str, str], float]
) -> Mapping[str | Bend, list[tuple[str | Bend, float]]]:
    found: dict[str | Bend, list[tuple[str | Bend, float]]] = {}
    for ends, chain in layering.chains.items():
        for one, other in itertools.pairwise(chain):
            weight = _WEIGHTS[isinstance(one, Bend) + isinstance(other, Bend)] * importance[ends]
            found.setdefault(one, []).append((other, weight))
            found.setdefault(other, []).append((one, weight))
    return found


def _straighten(
    layering: Layering,
    centres: dict[str | Bend, float],
    spread: Callable[[str | Bend], Spread],
    importance: Mapping[tuple[str, str], float],
) -> None:
    """Move what is almost in line with a neighbour into line, unless it is in line with another one already."""
    place = {item: (row, index) for row in layering.layers for index, item in enumerate(row)}
    settled: set[str | Bend] = set()
    for ends in sorted(layering.chains, key=lambda ends: -importance[ends]):
        for one, other in itertools.pairwise(layering.chains[ends]):
            if abs(centres[one] - centres[other]) > _ALMOST:
                continue
            for item, to in ((other, centres[one]), (one, centres[other])):
                if centres[one] != centres[other] and item not in settled and _fits(item, to, place, centres, spread):
                    centres[item] = to
            if centres[one] == centres[other]:
                settled.update((one, other))


def _fits(
    item: str | Bend,
    centre: float,
    place: Mapping[str | Bend, tuple[Sequence[str | Bend], int]],
    centres: Mapping[str | Bend, float],
    spread: Callable[[str | Bend], Spread],
) -> bool:
    row, index = place[item]
    return all(
        abs(centre - centres[other]) >= _distance(item, other, spread) and (centres[other] < centre) == is_before
        for is_before, others in ((True, row[max(0, index - 1) : index]), (False, row[index + 1 : index + 2]))
        for other in others
    )


def _distance(one: str | Bend, other: str | Bend, spread: Callable[[str | Bend], Spread]) -> float:
    """Return how far apart the centres of two neighbours must be."""
    a, b = spread(one), spread(other)
    return (a.size + b.size) / 2 + max(a.gap, b.gap)


def _settled(
    row: Sequence[str | Bend],
    centres: Mapping[str | Bend, float],
    pulls: Mapping[str | Bend, list[tuple[str | Bend, float]]],
    spread: Callable[[str | Bend], Spread],
) -> list[float]:
    """Return the centres that are nearest to what each item wants while they keep their order and distance."""
    wanted, weights, offsets = [], [], []
    offset = 0.0
    for index, item in enumerate(row):
        if index:
            offset += _distance(row[index - 1], item, spread)
        mine = pulls.get(item, [])
        weight = sum(each for _, each in mine) or _FREE
        want = sum(centres[other] * each for other, each in mine) / weight if mine else centres[item]
        wanted.append(want - offset)
        weights.append(weight)
        offsets.append(offset)
    return [place + offset for place, offset in zip(_rising(wanted, weights), offsets, strict=True)]


def _rising(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the rising sequence with the smallest weighted squared distance (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for want, weight in zip(wanted, weights, strict=True):
        mean, total, count = want, weight, 1
        while pools and pools[-1][0] > mean:
            other, more, many = pools.pop()
            mean = (mean * total + other * more) / (total + more)
            total, count = total + more, count + many
        pools.append((mean, total, count))
    return [mean for mean, _, count in pools for _ in range(count)]
