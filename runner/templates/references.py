"""What an expression reads, found without rendering it: the base of data edges and of checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec
from jinja2 import nodes

Path: TypeAlias = "tuple[str | int, ...]"

_TOKEN = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\W\d]\w*|-?\d+|\S""", re.DOTALL)
_QUOTES = "'\""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a template reads, such as `phases.dump.outputs.path`.

    Attributes:
        path: Root, then names and indexes.
        places: Offset and length of each part of the path in the text of the template.
        guarded: Whether the filter `default` covers it when it is missing.
        decides: Whether a comparison or condition looks at its value.
    """

    path: Path
    places: tuple[tuple[int, int], ...]
    guarded: bool
    decides: bool

    @property
    def root(self) -> str:
        """The first name of the path."""
        return str(self.path[0])

    def __str__(self) -> str:
        return spell(self.path)


def spell(path: Path) -> str:
    """Write a path as a template has it: `phases.dump.outputs["a-b"]`."""
    return str(path[0]) + "".join(_part(part) for part in path[1:])


def _part(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if part.isidentifier() else f'["{part}"]'


def path_of(node: nodes.Node) -> Path | None:
    """Return the path that a chain of names and constant indexes spells, or None if the node is something else."""
    parts: list[str | int] = []
    while True:
        match node:
            case nodes.Name():
                return (node.name, *reversed(parts))
            case nodes.Getattr():
                parts.append(node.attr)
            case nodes.Getitem() if (index := constant_index(node.arg)) is not None:
                parts.append(index)
            case _:
                return None
        node = node.node


def constant_index(node: nodes.Node) -> str | int | None:
    """Return the name or number of a constant index, or None if it has to be computed."""
    match node:
        case nodes.Const(value=bool()):
            return None
        case nodes.Const(value=str() | int() as index):
            return index
        case nodes.Neg(node=nodes.Const(value=int() as index)):
            return -index
    return None


def tokens(source: str) -> list[tuple[str, int]]:
    """Cut an expression into words, quoted texts and signs, each with its offset."""
    return [(match[0], match.start()) for match in _TOKEN.finditer(source)]


def find(node: nodes.Node, words: Sequence[tuple[str, int]], offset: int) -> Iterator[Reference]:
    """Yield the references of a parsed expression, cut into `words`, that starts at `offset` of its template."""
    for path, guarded, decides in _walk(node, guarded=False, decides=False):
        places = tuple((start + offset, length) for start, length in _locate(path, words))
        yield Reference(path=path, places=places, guarded=guarded, decides=decides)


def _walk(node: nodes.Node, *, guarded: bool, decides: bool) -> Iterator[tuple[Path, bool, bool]]:
    path = path_of(node)
    if path is not None:
        yield path, guarded, decides
        return
    match node:
        case nodes.Filter(name="default"):
            yield from _walk(node.node or node.args[0], guarded=True, decides=decides)
            for argument in node.args:
                yield from _walk(argument, guarded=guarded, decides=decides)
        case nodes.CondExpr():
            yield from _walk(node.test, guarded=guarded, decides=True)
            for branch in (node.expr1, node.expr2):
                if branch is not None:
                    yield from _walk(branch, guarded=guarded, decides=decides)
        case _:
            looked_at = decides or isinstance(node, nodes.Compare | nodes.And | nodes.Or | nodes.Not)
            for child in node.iter_child_nodes():
                yield from _walk(child, guarded=guarded, decides=looked_at)


def _locate(path: Path, words: Sequence[tuple[str, int]]) -> list[tuple[int, int]]:
    for start, (word, _) in enumerate(words):
        if word == path[0] and (start == 0 or words[start - 1][0] not in ".|"):
            places = _follow(path, words, start)
            if places is not None:
                return places
    return [(words[0][1], 1)] * len(path)


def _follow(path: Path, words: Sequence[tuple[str, int]], position: int) -> list[tuple[int, int]] | None:
    places = [(words[position][1], len(words[position][0]))]
    for part in path[1:]:
        position += 2
        if position >= len(words) or words[position - 1][0] not in ".[":
            return None
        token, start = words[position]
        quoted = token[0] in _QUOTES
        if (token[1:-1] if quoted else token) != str(part):
            return None
        places.append((start + quoted, len(token) - 2 * quoted))
        position += words[position - 1][0] == "["
    return places
