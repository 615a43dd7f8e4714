"""The order of boxes within layers: links of more than one layer get bends, and crossings are reduced.

The method is Sugiyama's: sort each layer by the mean place of the neighbours, sweep forth and back, keep the best.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Mapping, Sequence

import msgspec

_SWEEPS = 12


class Bend(msgspec.Struct, frozen=True):
    """Where a link passes through a layer that is neither that of its source nor of its target."""

    source: str
    target: str
    layer: int


class Layering(msgspec.Struct, frozen=True, kw_only=True):
    """Boxes (by id) and bends in layers.

    Attributes:
        layers: The order within each layer.
        chains: For each link, by its ends, all that it passes: source, bends, target.
    """

    layers: tuple[tuple[str | Bend, ...], ...]
    chains: Mapping[tuple[str, str], tuple[str | Bend, ...]]


def size(layers: Mapping[str, int], links: Iterable[tuple[str, str]]) -> int:
    """Return how many boxes and bends a layering would have, without making it."""
    return len(layers) + sum(layers[target] - layers[source] - 1 for source, target in links)


def layered(layers: Mapping[str, int], links: Sequence[tuple[str, str]]) -> Layering:
    """Order boxes within their layers.

    Args:
        layers: The layer of each box, from 0, in the order in which they should stand where links do not matter.
        links: Source and target; the layer of the source is the smaller one.
    """
    chains: dict[tuple[str, str], tuple[str | Bend, ...]] = {
        (source, target): (
            source,
            *(Bend(source, target, layer) for layer in range(layers[source] + 1, layers[target])),
            target,
        )
        for source, target in links
    }
    rows: list[list[str | Bend]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for name, layer in layers.items():
        rows[layer].append(name)
    for chain in chains.values():
        for item in chain[1:-1]:
            assert isinstance(item, Bend)
            rows[item.layer].append(item)
    best = _uncrossed(rows, chains.values())
    return Layering(layers=tuple(map(tuple, best)), chains=chains)


def crossings(rows: Sequence[Sequence[str | Bend]], chains: Iterable[Sequence[str | Bend]]) -> int:
    """Count how often links cross between layers."""
    place = _places(rows)
    layer_of = {item: number for number, row in enumerate(rows) for item in row}
    pairs: list[list[tuple[int, int]]] = [[] for _ in rows]
    for chain in chains:
        for upper, lower in itertools.pairwise(chain):
            pairs[layer_of[upper]].append((place[upper], place[lower]))
    return sum(map(_inversions, pairs))


def _inversions(pairs: list[tuple[int, int]]) -> int:
    count = 0
    seen: list[int] = []
    for _, lower in sorted(pairs):
        count += len(seen) - bisect.bisect_right(seen, lower)
        bisect.insort(seen, lower)
    return count


def _uncrossed(rows: list[list[str | Bend]], chains: Iterable[Sequence[str | Bend]]) -> list[list[str | Bend]]:
    listed = list(chains)
    above: dict[str | Bend, list[str | Bend]] = {}
    below: dict[str | Bend, list[str | Bend]] = {}
    for chain in listed:
        for upper, lower in itertools.pairwise(chain):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    best, fewest = rows, crossings(rows, listed)
    current = rows
    for _ in range(_SWEEPS):
        if not fewest:
            break
        for neighbours, order in ((above, range(len(rows))), (below, range(len(rows) - 1, -1, -1))):
            current = _swept(current, neighbours, order)
            found = crossings(current, listed)
            if found < fewest:
                best, fewest = current, found
    return best


def _swept(
    rows: Sequence[Sequence[str | Bend]], neighbours: Mapping[str | Bend, Sequence[str | Bend]], order: Iterable[int]
) -> list[list[str | Bend]]:
    """Sort layer after layer by the mean place of the neighbours on one side; who has none stays where it is."""
    swept = [list(row) for row in rows]
    place = {item: float(index) for item, index in _places(rows).items()}
    for number in order:
        wanted = {
            item: sum(place[each] for each in neighbours[item]) / len(neighbours[item])
            if item in neighbours
            else place[item]
            for item in swept[number]
        }
        swept[number].sort(key=wanted.__getitem__)
        place.update((item, float(index)) for index, item in enumerate(swept[number]))
    return swept


def _places(rows: Sequence[Sequence[str | Bend]]) -> dict[str | Bend, int]:
    return {item: index for row in rows for index, item in enumerate(row)}
