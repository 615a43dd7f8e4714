"""Write a picture as SVG: one file without scripts, in the fonts and the colour scheme of whoever looks at it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax import saxutils

from runner.plan.drawing import blocks, legend, lettering, plates, scene, signs, style
from runner.plan.drawing.picture import Picture
from runner.plan.drawing.plates import Pill, Sign, Words
from runner.plan.drawing.scene import Direction, Placed, Point, Route, Scene

_MARGIN = 28.0
_HEAD = 78.0
_STEP_ROW, _STEP_GUTTER = 22.0, 34.0
_HEADLINE, _BELOW = 18.0, 12.5
_NOTE_LINE = 20.0
_TIP = 7.0
_CORNER = 10.0
_BEHIND = 4.0
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(picture: Picture) -> str:
    """Return the text of an SVG document."""
    return _Writer(picture, scene.best(picture)).text()


class _Writer:
    def __init__(self, picture: Picture, found: Scene) -> None:
        self._picture = picture
        self._scene = found
        is_right = found.direction is Direction.RIGHT
        self._x = _MARGIN + (0 if is_right else _STEP_GUTTER)
        self._y = _HEAD + (_STEP_ROW if is_right else 0)
        graph = self._x + found.width + _MARGIN + _BEHIND
        words = [
            lettering.width(picture.title, _HEADLINE, bold=True) + (24 if picture.mark is not None else 0),
            lettering.width(picture.subtitle, _BELOW),
            *(lettering.width(note, plates.SUBTITLE) for note in picture.notes),
        ]
        self.width = max(graph, 2 * _MARGIN + max(words))
        self._x += (self.width - graph) / 2
        self._legend = legend.entries(picture, self.width - 2 * _MARGIN)
        self._notes_at = self._y + found.height + 32
        self._legend_at = self._notes_at + (_NOTE_LINE * len(picture.notes) + 4 if picture.notes else 0)
        self.height = self._legend_at + legend.height(self._legend) + 12

    def text(self) -> str:
        """Return the document."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        name = re.sub(r"[^a-z0-9]+", "-", self._picture.title.lower()).strip("-")
        size = f'width="{_n(self.width)}" height="{_n(self.height)}" viewBox="0 0 {_n(self.width)} {_n(self.height)}"'
        labels = f'role="img" aria-labelledby="{name}-title {name}-description"'
        yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} {labels}>'
        yield f'<title id="{name}-title">{_escaped(self._picture.title)}</title>'
        yield f'<desc id="{name}-description">{_escaped(self._picture.description)}</desc>'
        yield f"<style>\n{saxutils.escape(style.sheet())}</style>"
        yield f'<rect class="ground" width="{_n(self.width)}" height="{_n(self.height)}" rx="12"/>'
        yield _text(_MARGIN, 38, self._picture.title, _HEADLINE, "name", bold=True)
        if self._picture.mark is not None:
            beside = _MARGIN + lettering.width(self._picture.title, _HEADLINE, bold=True) + 14
            yield _sign(Sign(x=beside, y=32, mark=self._picture.mark))
        yield _text(_MARGIN, 59, self._picture.subtitle, _BELOW, "quiet")
        yield from self._steps()
        for frame in self._scene.frames:
            size = f'width="{_n(frame.width)}" height="{_n(frame.height)}" rx="{_n(_CORNER + 4)}"'
            x, y = frame.x + self._x, frame.y + self._y
            yield f'<rect class="frame" x="{_n(x)}" y="{_n(y)}" {size}/>'
            yield _text(x + blocks.PAD, y + 20, frame.caption, plates.SMALL, "faint")
        for route in self._scene.routes:
            yield from self._route(route)
        for placed in self._scene.boxes:
            yield from self._box(placed)
        yield from legend.lines(self._legend, _MARGIN, self._legend_at)
        for index, note in enumerate(self._picture.notes):
            yield _text(_MARGIN, self._notes_at + 6 + index * _NOTE_LINE, note, plates.SUBTITLE, "quiet")
        yield "</svg>"

    def _steps(self) -> Iterator[str]:
        for name, start in zip(self._picture.steps, self._scene.steps, strict=True):
            if self._scene.direction is Direction.RIGHT:
                yield _text(self._x + start + 2, self._y - 10, name, plates.SMALL, "step")
            else:
                yield _text(_MARGIN, self._y + start + 27, name, plates.SMALL, "step")

    def _route(self, route: Route) -> Iterator[str]:
        points = [(x + self._x, y + self._y) for x, y in route.points]
        yield f'<g class="link {route.link.kind}">'
        if route.link.hint:
            yield f"<title>{_escaped(route.link.hint)}</title>"
        way = _way(points, self._scene.direction)
        yield f'<path class="reach" d="{way}"/>'
        yield f'<path d="{way}"/>'
        yield tip(*points[-1], self._scene.direction)
        yield "</g>"

    def _box(self, placed: Placed) -> Iterator[str]:
        plate, box = placed.plate, placed.plate.box
        x, y = placed.x + self._x, placed.y + self._y
        yield f'<g class="phase{" off" if box.faint else ""}" transform="translate({_n(x)} {_n(y)})">'
        if box.hint:
            yield f"<title>{_escaped(box.hint)}</title>"
        size = f'width="{_n(plate.width)}" height="{_n(plate.height)}" rx="{_n(_CORNER)}"'
        if box.many:
            yield f'<rect class="behind" x="{_n(_BEHIND)}" y="{_n(_BEHIND)}" {size}/>'
        yield f'<rect class="box" {size}/>'
        bar = signs.look(box.mark.status).colour if box.mark is not None else "export" if box.exports else ""
        if bar:
            yield f'<rect class="{bar}" x="5" y="14" width="3.5" height="{_n(plate.height - 28)}" rx="1.75"/>'
        yield from (_words(each) for each in plate.words)
        yield from (_pill(each) for each in plate.pills)
        if plate.rule is not None:
            right = _n(plate.width - plates.PAD)
            yield f'<path class="rule" d="M{_n(plates.PAD)} {_n(plate.rule)}H{right}"/>'
        yield from (_sign(each) for each in plate.signs)
        yield from (_dot(each) for each in plate.dots)
        yield "</g>"


def tip(x: float, y: float, direction: Direction) -> str:
    """Write the tip of a link that ends at a point."""
    if direction is Direction.RIGHT:
        return f'<path class="tip" style="stroke:none" d="M{_n(x)} {_n(y)}l{-_TIP:g} -3.5v7z"/>'
    return f'<path class="tip" style="stroke:none" d="M{_n(x)} {_n(y)}l-3.5 {-_TIP:g}h7z"/>'


def _way(points: list[Point], direction: Direction) -> str:
    """Write straight lines within layers and curves between them; it ends where the tip begins."""
    is_right = direction is Direction.RIGHT
    (end_x, end_y) = points[-1]
    points = [*points[:-1], (end_x - _TIP + 1, end_y) if is_right else (end_x, end_y - _TIP + 1)]
    x, y = points[0]
    written = [f"M{_n(x)} {_n(y)}"]
    for index, (to_x, to_y) in enumerate(points[1:]):
        if index % 2 == 0:
            if (to_x, to_y) != (x, y):
                written.append(f"L{_n(to_x)} {_n(to_y)}")
        elif (to_y == y) if is_right else (to_x == x):
            written.append(f"L{_n(to_x)} {_n(to_y)}")
        elif is_right:
            half = (x + to_x) / 2
            written.append(f"C{_n(half)} {_n(y)} {_n(half)} {_n(to_y)} {_n(to_x)} {_n(to_y)}")
        else:
            half = (y + to_y) / 2
            written.append(f"C{_n(x)} {_n(half)} {_n(to_x)} {_n(half)} {_n(to_x)} {_n(to_y)}")
        x, y = to_x, to_y
    return "".join(written)


def _words(words: Words) -> str:
    return _text(words.x, words.y, words.text, words.size, words.look, bold=words.bold)


def _pill(pill: Pill) -> str:
    hint = f"<title>{_escaped(pill.badge.hint)}</title>" if pill.badge.hint else ""
    place = f'x="{_n(pill.x)}" y="{_n(pill.y)}" width="{_n(pill.width)}" height="{_n(plates.PILL_HEIGHT)}" rx="9"'
    middle = f'x="{_n(pill.x + pill.width / 2)}" y="{_n(pill.y + 12.8)}" font-size="{_n(plates.SMALL)}"'
    words = f'<text {middle} text-anchor="middle">{_escaped(pill.text)}</text>'
    return f'<g class="{pill.badge.tone}">{hint}<rect {place}/>{words}</g>'


def _sign(sign: Sign) -> str:
    found = signs.look(sign.mark.status)
    size = f" scale({sign.radius / signs.RADIUS:.2f})" if sign.radius != signs.RADIUS else ""
    hint = f"<title>{_escaped(sign.mark.hint)}</title>" if sign.mark.hint else ""
    circle = f'<circle class="{found.colour}" r="{_n(signs.RADIUS)}" style="stroke:none"/>'
    return (
        f'<g class="sign" transform="translate({_n(sign.x)} {_n(sign.y)}){size}">{hint}{circle}'
        f'<path d="{found.line}"/></g>'
    )


def _dot(dot: Sign) -> str:
    centre = Sign(x=dot.x + dot.radius, y=dot.y + dot.radius, mark=dot.mark, radius=dot.radius)
    return _sign(centre)


def _text(x: float, y: float, text: str, size: float, look: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text class="{look}" x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}"{weight}>{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    """Escape a text; characters that no XML document may hold become a replacement character."""
    return saxutils.escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
