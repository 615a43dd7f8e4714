"""Write a picture as a Mermaid flowchart, which many wikis and forges draw by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from runner.plan.drawing import signs
from runner.plan.drawing.picture import Box, Kind, Link, Picture

_ARROWS: Mapping[Kind, str] = MappingProxyType(
    {Kind.ORDER: "-.->", Kind.NEEDS: "-->", Kind.DATA: "-->", Kind.LAST: "-.->"}
)
# Characters that mean something within a quoted text of Mermaid, or in the HTML that it becomes.
_ENTITIES = str.maketrans(
    {'"': "#quot;", "#": "#35;", "&": "#amp;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\\": "#92;", "\n": " "}
)
_DATA_COLOUR = "#2563eb"
# Stroke colours that can be told apart on white and on black.
_COLOURS: Mapping[str, str] = MappingProxyType(
    {"green": "#22a055", "red": "#dc4040", "blue": "#3b82f6", "amber": "#d08700", "grey": "#8592a4"}
)


def write(picture: Picture) -> str:
    """Return the text of a flowchart."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield from ("---", f"title: {json.dumps(picture.title, ensure_ascii=False)}", "---")
    yield f"flowchart {'LR' if len(picture.steps) <= 5 else 'TD'}"
    yield from (f"  {_node(box)}" for box in picture.boxes)
    yield from (f"  {_arrow(link)}" for link in picture.links)
    data = [str(index) for index, link in enumerate(picture.links) if link.kind is Kind.DATA]
    if data:
        yield f"  linkStyle {','.join(data)} stroke:{_DATA_COLOUR}"
    yield from _classes(picture)


def _node(box: Box) -> str:
    sign = f"{signs.look(box.mark.status).letter} " if box.mark is not None else ""
    lines = [f"<b>{sign}{_text(box.title)}</b>", _text(box.subtitle)]
    lines += [_text(fact) for fact in box.facts]
    lines += [f"<i>{_text(badge.text)}</i>" for badge in box.badges]
    lines += [f"<small>{_text(f'{undo.key}: {undo.function}')}</small>" for undo in box.undo]
    text = "<br>".join(lines)
    return f'{_id(box.id)}[["{text}"]]' if box.many else f'{_id(box.id)}["{text}"]'


def _arrow(link: Link) -> str:
    label = f'|"{_text(link.label)}"| ' if link.label else ""
    return f"{_id(link.source)} {_ARROWS[link.kind]}{label or ' '}{_id(link.target)}"


def _classes(picture: Picture) -> Iterator[str]:
    faint = [_id(box.id) for box in picture.boxes if box.faint]
    if faint:
        yield "  classDef off stroke-dasharray:5 4,opacity:0.6"
        yield f"  class {','.join(faint)} off"
    by_colour: dict[str, list[str]] = {}
    for box in picture.boxes:
        if box.mark is not None:
            by_colour.setdefault(signs.look(box.mark.status).colour, []).append(_id(box.id))
    for colour, boxes in by_colour.items():
        yield f"  classDef {colour} stroke:{_COLOURS[colour]},stroke-width:2px"
        yield f"  class {','.join(boxes)} {colour}"


def _id(name: str) -> str:
    """Return a name that is none of the words that Mermaid keeps for itself, such as `end`."""
    return f"p_{name}"


def _text(text: str) -> str:
    return text.translate(_ENTITIES)
