"""What conditions tell before anything is known: whether one can hold at all, and whether one follows from another."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from runner.base import errors
from runner.templates import evaluate, expression


def is_never(text: str) -> bool:
    """Tell whether a condition is false whatever it reads."""
    node = expression.parse(text).node
    return node is not None and _constant(node) is False


def implies(text: str, other: str) -> bool:
    """Tell whether one condition surely holds where another one does, since it says the same, joined by `and`."""
    node, wanted = expression.parse(text).node, expression.parse(other).node
    if node is None or wanted is None:
        return False
    given = list(_joined(node))
    return all(each in given for each in _joined(wanted))


def _joined(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield what all has to hold for a condition to hold."""
    if isinstance(node, nodes.And):
        yield from _joined(node.left)
        yield from _joined(node.right)
    else:
        yield node


def _constant(node: nodes.Node) -> bool | None:
    """Return what a condition always is, or None if that depends."""
    match node:
        case nodes.And():
            sides = {_constant(node.left), _constant(node.right)}
            return False if False in sides else None if None in sides else True
        case nodes.Or():
            sides = {_constant(node.left), _constant(node.right)}
            return True if True in sides else None if None in sides else False
        case nodes.Not():
            inner = _constant(node.node)
            return None if inner is None else not inner
        case _ if isinstance(node, nodes.Name) or any(node.find_all(nodes.Name)):
            return None
    try:
        value = evaluate.evaluate(node, {})
    except errors.RunnerError:
        return None
    return value if isinstance(value, bool) else None
