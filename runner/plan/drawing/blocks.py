"""What is arranged as one: a box, or a frame of boxes that wait for the same and that the same wait for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from runner.plan import wording
from runner.plan.drawing import plates
from runner.plan.drawing.picture import Kind, Link, Picture

# So many boxes side by side are easier to look at in a frame, with one link to it instead of one to each.
_FEWEST_FRAMED = 7
PAD, CAPTION, GAP = 14.0, 18.0, 14.0
# How much wider than high a frame may be.
_SHAPE = 1.3


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """A box within a block; `x` and `y` are relative to its upper left corner."""

    plate: plates.Plate
    x: float = 0.0
    y: float = 0.0


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One or more boxes; `caption` is that of the frame, empty for a box by itself."""

    id: str
    layer: int
    width: float
    height: float
    inside: tuple[Inside, ...]
    caption: str = ""


def blocks(picture: Picture, made: Sequence[plates.Plate]) -> tuple[list[Block], list[Link]]:
    """Return the blocks of a picture, in its order, and the links between them."""
    groups: dict[object, list[plates.Plate]] = {}
    around = _around(picture)
    for plate in made:
        groups.setdefault((plate.box.step, around[plate.box.id]), []).append(plate)
    found: dict[str, Block] = {}
    for plate in made:
        group = groups[plate.box.step, around[plate.box.id]]
        members = group if len(group) >= _FEWEST_FRAMED else [plate]
        name = members[0].box.id
        block = found.get(name) or (_frame(name, members) if len(members) > 1 else _single(plate))
        found[name] = block
    return list(found.values()), list(_links(picture, found))


def _around(picture: Picture) -> Mapping[str, tuple[frozenset[tuple[str, Kind]], frozenset[tuple[str, Kind]]]]:
    """Return what each box waits for, and what waits for it."""
    sources: dict[str, set[tuple[str, Kind]]] = {box.id: set() for box in picture.boxes}
    targets: dict[str, set[tuple[str, Kind]]] = {box.id: set() for box in picture.boxes}
    for link in picture.links:
        sources[link.target].add((link.source, link.kind))
        targets[link.source].add((link.target, link.kind))
    return {name: (frozenset(sources[name]), frozenset(targets[name])) for name in sources}


def _links(picture: Picture, found: Mapping[str, Block]) -> Iterator[Link]:
    home = {each.plate.box.id: block for block in found.values() for each in block.inside}
    merged: dict[tuple[str, str, Kind], list[Link]] = {}
    for link in picture.links:
        merged.setdefault((home[link.source].id, home[link.target].id, link.kind), []).append(link)
    for (source, target, kind), links in merged.items():
        hints = list(dict.fromkeys(link.hint for link in links))
        hint = hints[0] if len(hints) == 1 else f"{hints[0]}, and so on for {len(hints):,}"
        yield Link(source=source, target=target, kind=kind, hint=hint)


def _single(plate: plates.Plate) -> Block:
    return Block(
        id=plate.box.id,
        layer=plate.box.step - 1,
        width=plate.width,
        height=plate.height,
        inside=(Inside(plate=plate),),
    )


def _frame(name: str, members: Sequence[plates.Plate]) -> Block:
    """Arrange boxes in rows, so that reading on is reading to the right."""
    wide = members[0].width + GAP
    high = max(plate.height for plate in members) + GAP
    columns = max(1, round(math.sqrt(len(members) * high / wide * _SHAPE)))
    inside = tuple(
        Inside(plate=plate, x=PAD + index % columns * wide, y=PAD + CAPTION + index // columns * high)
        for index, plate in enumerate(members)
    )
    return Block(
        id=name,
        layer=members[0].box.step - 1,
        width=columns * wide - GAP + 2 * PAD,
        height=CAPTION + math.ceil(len(members) / columns) * high - GAP + 2 * PAD,
        inside=inside,
        caption=f"{wording.counted(len(members), 'phase')} side by side",
    )
