"""Over random pictures: nothing overlaps or reaches over an edge, links go around boxes, the SVG is well-formed."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.plan.drawing import layers, lettering, mermaid, plates, scene, svg
from runner.plan.drawing.picture import Badge, Box, Kind, Link, Mark, Picture, Undo
from runner.plan.drawing.scene import Direction, Placed, Point, Route, Scene
from tests import effort

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
MARKS = st.sampled_from(["succeeded", "failed", "skipped", "running", "unknown"]).map(
    lambda status: Mark(status=status)
)
BADGES = st.builds(Badge, text=TEXTS, hint=TEXTS)
UNDO = st.builds(Undo, key=st.sampled_from(["revert", "cleanup"]), function=TEXTS, mark=st.none() | MARKS)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Draw a picture whose links lead from earlier boxes to later ones."""
    number = draw(st.integers(1, 14))
    links = [
        Link(source=str(source), target=str(target), kind=draw(st.sampled_from(Kind)), hint=draw(TEXTS))
        for target in range(number)
        for source in sorted(draw(st.sets(st.integers(0, number), max_size=3)))
        if source < target
    ]
    step: dict[str, int] = {}
    for index in range(number):
        step[str(index)] = 1 + max((step[link.source] for link in links if link.target == str(index)), default=0)
    boxes = [
        Box(
            id=name,
            title=draw(TEXTS),
            subtitle=draw(TEXTS),
            step=step[name],
            hint=draw(TEXTS),
            badges=tuple(draw(st.lists(BADGES, max_size=4))),
            undo=tuple(draw(st.lists(UNDO, max_size=2))),
            facts=tuple(draw(st.lists(TEXTS, max_size=2))),
            many=draw(st.booleans()),
            mark=draw(st.none() | MARKS),
            instances=tuple(draw(st.lists(MARKS, max_size=60))),
        )
        for name in step
    ]
    return Picture(
        title=draw(TEXTS),
        subtitle=draw(TEXTS),
        description=draw(TEXTS),
        boxes=tuple(boxes),
        links=tuple(links),
        steps=tuple(map(str, range(max(step.values())))),
    )


@settings(max_examples=effort.examples(25))
@given(pictures())
def test_the_svg_is_well_formed_and_has_every_box(picture: Picture) -> None:
    root = ElementTree.fromstring(svg.write(picture).encode())
    groups = [element for element in root.iter() if (element.get("class") or "").split(" ")[0] == "phase"]
    assert len(groups) == len(picture.boxes)
    assert len(mermaid.write(picture).splitlines()) >= 4 + len(picture.boxes) + len(picture.links)


@settings(max_examples=effort.examples(35))
@given(pictures())
def test_boxes_keep_apart_and_stay_within_the_picture(picture: Picture) -> None:
    found = scene.best(picture)
    for one, other in itertools.combinations(found.boxes, 2):
        apart = max(
            other.x - one.x - one.plate.width,
            one.x - other.x - other.plate.width,
            other.y - one.y - one.plate.height,
            one.y - other.y - other.plate.height,
        )
        assert apart >= 10
    for box in found.boxes:
        assert box.x >= -0.01
        assert box.y >= -0.01
        assert box.x + box.plate.width <= found.width + 0.01
        assert box.y + box.plate.height <= found.height + 0.01


@settings(max_examples=effort.examples(35))
@given(pictures())
def test_what_stands_in_a_box_stays_in_it(picture: Picture) -> None:
    for plate in plates.plates(picture.boxes):
        right, bottom = plate.width - plates.PAD + 0.01, plate.height
        for words in plate.words:
            assert words.x + lettering.width(words.text, words.size, bold=words.bold) <= right or words.text == "…"
            assert words.y < bottom
        for pill in plate.pills:
            assert pill.x + pill.width <= right or pill.text == "…"
            assert pill.y + plates.PILL_HEIGHT < bottom
        for sign in plate.signs:
            assert sign.x + sign.radius <= right + 1
            assert sign.y + sign.radius < bottom
        for dot in plate.dots:
            assert dot.x + 2 * dot.radius <= right
            assert dot.y + 2 * dot.radius < bottom


@settings(max_examples=effort.examples(35))
@given(pictures())
def test_links_go_around_boxes_from_edge_to_edge(picture: Picture) -> None:
    found = scene.best(picture)
    for route in found.routes:
        for x, y in _along(route, found):
            assert [box.plate.box.id for box in found.boxes if _holds(box, x, y)] == []


@settings(max_examples=effort.examples(35))
@given(pictures())
def test_every_layer_holds_its_boxes_once(picture: Picture) -> None:
    number = {box.id: box.step - 1 for box in picture.boxes}
    found = layers.layered(number, [(link.source, link.target) for link in picture.links])
    placed = [(name, index) for index, row in enumerate(found.layers) for name in row if isinstance(name, str)]
    assert sorted(placed) == sorted(number.items())


def _holds(box: Placed, x: float, y: float) -> bool:
    inside_x = box.x + 0.5 < x < box.x + box.plate.width - 0.5
    return inside_x and box.y + 0.5 < y < box.y + box.plate.height - 0.5


def _along(route: Route, found: Scene) -> Iterator[Point]:
    """Yield points on the way of a link: straight within layers, on a curve between them."""
    is_right = found.direction is Direction.RIGHT
    for index, ((x, y), (to_x, to_y)) in enumerate(itertools.pairwise(route.points)):
        for part in (step / 8 for step in range(9)):
            if index % 2 == 0:
                yield x + (to_x - x) * part, y + (to_y - y) * part
            elif is_right:
                half = (x + to_x) / 2
                yield _bezier(x, half, half, to_x, part), _bezier(y, y, to_y, to_y, part)
            else:
                half = (y + to_y) / 2
                yield _bezier(x, x, to_x, to_x, part), _bezier(y, half, half, to_y, part)


def _bezier(a: float, b: float, c: float, d: float, part: float) -> float:
    rest = 1 - part
    return rest**3 * a + 3 * rest**2 * part * b + 3 * rest * part**2 * c + part**3 * d
