"""A picture with everything in its place: which way it runs, where boxes stand, along which points links go."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from runner.base import errors
from runner.plan.drawing import blocks, layers, placing, plates
from runner.plan.drawing.blocks import Block
from runner.plan.drawing.layers import Bend
from runner.plan.drawing.picture import Kind, Link, Picture

_BOX_GAP, _BEND_GAP, _BEND_SIZE = 20.0, 12.0, 6.0
_LAYER_GAP = 58.0
_IMPORTANCE = {Kind.DATA: 3.0, Kind.NEEDS: 2.0, Kind.ORDER: 1.0, Kind.LAST: 0.2}
# Links that go far across need room, or they become too steep to follow.
_STEEPNESS, _WIDEST_GAP = 0.07, 130.0
_PORT_GAP, _MOST_PORTS = 12.0, 5
_CORNER = 14.0
# Boxes and bends.
_MOST_ITEMS = 5000
# A page is about this wide, and a reader scrolls rather down than sideways.
_PAGE_WIDTH, _PAGE_HEIGHT = 1120.0, 1500.0

Point = tuple[float, float]


class Direction(StrEnum):
    """Which way the steps follow each other."""

    RIGHT = "right"
    DOWN = "down"


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A box in its place; `x` and `y` are its upper left corner."""

    plate: plates.Plate
    x: float
    y: float


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame around several boxes in its place."""

    x: float
    y: float
    width: float
    height: float
    caption: str


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The way of a link: straight to the second point, curved to the third, straight to the fourth, and so on."""

    link: Link
    points: tuple[Point, ...]


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in its place; `steps` tells where each layer begins along the direction."""

    direction: Direction
    width: float
    height: float
    boxes: tuple[Placed, ...]
    frames: tuple[Frame, ...]
    routes: tuple[Route, ...]
    steps: tuple[float, ...]


def best(picture: Picture) -> Scene:
    """Arrange a picture from left to right where that fits on a page, otherwise the way that is smaller.

    Raises:
        UsageError: If it is larger than anybody could look at.
    """
    made, links = blocks.blocks(picture, plates.plates(picture.boxes))
    number = {block.id: block.layer for block in made}
    ends = [(link.source, link.target) for link in links]
    if layers.size(number, ends) > _MOST_ITEMS:
        raise errors.UsageError(
            f"the plan is too large to be drawn: {len(picture.boxes):,} phases", hint="use --format text or json"
        )
    layering = layers.layered(number, ends)
    right = _Arrangement(made, links, layering, Direction.RIGHT).scene()
    if right.width <= _PAGE_WIDTH:
        return right
    down = _Arrangement(made, links, layering, Direction.DOWN).scene()
    return min(right, down, key=lambda scene: max(scene.width / _PAGE_WIDTH, scene.height / _PAGE_HEIGHT))


class _Arrangement:
    """Works in two axes of its own: `along` the direction, and `across` it."""

    def __init__(
        self, made: Sequence[Block], links: Sequence[Link], layering: layers.Layering, direction: Direction
    ) -> None:
        self._blocks = {block.id: block for block in made}
        self._links = links
        self._layering = layering
        self._direction = direction
        importance = {(link.source, link.target): _IMPORTANCE[link.kind] for link in links}
        self._centres = placing.placed(layering, self._spread, importance)
        self._sources, self._targets = self._ports(0), self._ports(-1)
        self._starts, self._ends = self._bands()

    def scene(self) -> Scene:
        """Return the arrangement in ordinary coordinates."""
        across = max((self._centres[item] + self._spread(item).size / 2 for item in self._centres), default=0.0)
        along = self._ends[-1] if self._ends else 0.0
        width, height = self._turned(along, across)
        return Scene(
            direction=self._direction,
            width=width,
            height=height,
            boxes=tuple(box for block in self._blocks.values() for box in self._placed(block)),
            frames=tuple(self._framed(block) for block in self._blocks.values() if block.caption),
            routes=tuple(Route(link=link, points=tuple(self._route(link))) for link in self._links),
            steps=tuple(self._starts),
        )

    def _turned(self, along: float, across: float) -> Point:
        return (along, across) if self._direction is Direction.RIGHT else (across, along)

    def _extent(self, block: str) -> Point:
        """Return the size of a block along and across."""
        found = self._blocks[block]
        return self._turned(found.width, found.height)

    def _spread(self, item: str | Bend) -> placing.Spread:
        if isinstance(item, Bend):
            return placing.Spread(_BEND_SIZE, _BEND_GAP)
        return placing.Spread(self._extent(item)[1], _BOX_GAP)

    def _bands(self) -> tuple[list[float], list[float]]:
        """Return where each layer begins and ends."""
        starts, ends = [], []
        at = 0.0
        for number, row in enumerate(self._layering.layers):
            at += self._gap(number) if number else 0.0
            starts.append(at)
            at += max((self._extent(item)[0] for item in row if isinstance(item, str)), default=0.0)
            ends.append(at)
        return starts, ends

    def _gap(self, number: int) -> float:
        row = set(self._layering.layers[number])
        steps = (
            abs(self._centres[one] - self._centres[other])
            for chain in self._layering.chains.values()
            for one, other in itertools.pairwise(chain)
            if other in row
        )
        return _LAYER_GAP + min(_WIDEST_GAP, _STEEPNESS * max(steps, default=0.0))

    def _corner(self, block: Block) -> Point:
        across = self._centres[block.id] - self._extent(block.id)[1] / 2
        return self._turned(self._starts[block.layer], across)

    def _placed(self, block: Block) -> Iterator[Placed]:
        x, y = self._corner(block)
        for each in block.inside:
            yield Placed(plate=each.plate, x=x + each.x, y=y + each.y)

    def _framed(self, block: Block) -> Frame:
        x, y = self._corner(block)
        return Frame(x=x, y=y, width=block.width, height=block.height, caption=block.caption)

    def _ports(self, end: int) -> Mapping[tuple[str, str], float]:
        """Return where each link meets its block, across: spread around the one that goes straight on."""
        by_box: dict[str, list[tuple[float, tuple[str, str]]]] = {}
        for ends, chain in self._layering.chains.items():
            by_box.setdefault(ends[end], []).append((self._centres[chain[1 if end == 0 else -2]], ends))
        found = {}
        for box, links in by_box.items():
            centre = self._centres[box]
            ordered = sorted(links)
            middle = (len(ordered) - 1) / 2
            straight = [index for index, (other, _) in enumerate(ordered) if abs(other - centre) < 1]
            pivot = straight[0] if straight else middle
            gap = _PORT_GAP if len(ordered) <= _MOST_PORTS else 0.0
            room = self._extent(box)[1] / 2 - _CORNER
            for index, (_, ends) in enumerate(ordered):
                found[ends] = centre + max(-room, min(room, (index - pivot) * gap))
        return found

    def _route(self, link: Link) -> Iterator[Point]:
        ends = (link.source, link.target)
        layer = self._blocks[link.source].layer
        across = self._sources[ends]
        yield self._turned(self._starts[layer] + self._extent(link.source)[0], across)
        yield self._turned(self._ends[layer], across)
        for bend in self._layering.chains[ends][1:-1]:
            assert isinstance(bend, Bend)
            yield self._turned(self._starts[bend.layer], self._centres[bend])
            yield self._turned(self._ends[bend.layer], self._centres[bend])
        yield self._turned(self._starts[self._blocks[link.target].layer], self._targets[ends])
