"""Evaluate a parsed expression: a walk over the few kinds of nodes that are allowed, and nothing else.

Secrets pass through as they are; what a filter makes of one is computed when it is revealed, and looking at one is an
error.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from jinja2 import nodes

from runner.base import quantities, secret, suggest
from runner.templates import functions, kinds, problem, references

_COMPARISONS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        "eq": operator.eq,
        "ne": operator.ne,
        "lt": operator.lt,
        "lteq": operator.le,
        "gt": operator.gt,
        "gteq": operator.ge,
        "in": lambda item, container: item in container,
        "notin": lambda item, container: item not in container,
    }
)


class Absent:
    """Stands in the roots for data that does not exist, and says why (`phase "dump" was skipped`)."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


def evaluate(node: nodes.Node, roots: Mapping[str, object]) -> object:
    """Return the value of an expression.

    Raises:
        Missing: KB404 if it reads something undefined.
        TemplateError: KB405 if a filter or a comparison fails.
        SecretMisuse: KB702 if it looks at a secret.
    """
    match node:
        case nodes.Const():
            return node.value
        case nodes.Name():
            return _item(roots, node.name, "")
        case nodes.Getattr():
            return _item(evaluate(node.node, roots), node.attr, _spell(node.node))
        case nodes.Getitem() if (index := references.constant_index(node.arg)) is not None:
            return _item(evaluate(node.node, roots), index, _spell(node.node))
        case nodes.Filter():
            return _filter(node, roots)
        case nodes.Compare():
            return _compare(node, roots)
        case nodes.And() | nodes.Or() | nodes.Not() | nodes.CondExpr():
            return _logic(node, roots)
        case nodes.Neg(node=nodes.Const(value=int() | float() as number)):
            return -number
        case nodes.List():
            return [evaluate(item, roots) for item in node.items]
        case nodes.Dict():
            return {str(evaluate(pair.key, roots)): evaluate(pair.value, roots) for pair in node.items}
    raise AssertionError(f"{type(node).__name__} passed the check of the expression")


def secrets_in(value: object) -> list[secret.Secret]:
    """Return all secrets within a nested value."""
    if isinstance(value, secret.Secret):
        return [value]
    if isinstance(value, Mapping):
        return [found for item in value.values() for found in secrets_in(item)]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [found for item in value for found in secrets_in(item)]
    return []


def revealed(value: object) -> object:
    """Return a nested value with every secret in it replaced by its text."""
    if isinstance(value, secret.Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: revealed(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [revealed(item) for item in value]
    return value


def _spell(node: nodes.Node) -> str:
    path = references.path_of(node)
    return "the value" if path is None else references.spell(path)


def _item(container: object, key: str | int, where: str) -> object:
    name = references.spell((where, key)) if where else str(key)
    if isinstance(container, secret.Secret):
        raise secret.SecretMisuse(f"the secret {container.label} has no parts to read", hint="pass it on as a whole")
    if isinstance(container, Mapping):
        if key not in container:
            raise problem.Missing(f"{name} is not defined", hint=_known(str(key), container, where))
        found: object = container[key]
    elif isinstance(key, int) and isinstance(container, Sequence) and not isinstance(container, str):
        if not -len(container) <= key < len(container):
            raise problem.Missing(f"{name} is not defined", hint=f"{where} has {len(container)} items")
        found = container[key]
    else:
        raise problem.Missing(f"{name} is not defined", hint=f"{where} is {kinds.describe(container)}")
    if isinstance(found, Absent):
        raise problem.Missing(f"{name} is not defined: {found.reason}", hint="use the filter default to go on without")
    return found


def _known(key: str, container: Mapping[str, object], where: str) -> str:
    if not container:
        return f"{where} is empty; the filter default covers what may be missing"
    return suggest.hint(key, map(str, container))


def _compare(node: nodes.Compare, roots: Mapping[str, object]) -> bool:
    left = _plain(evaluate(node.expr, roots))
    for operand in node.ops:
        right = _plain(evaluate(operand.expr, roots))
        try:
            holds = bool(_COMPARISONS[operand.op](left, right))
        except TypeError as error:
            raise problem.TemplateError(
                f"{kinds.describe(left)} cannot be compared with {kinds.describe(right)}",
                hint="compare values of one type",
            ) from error
        if not holds:
            return False
        left = right
    return True


def _logic(node: nodes.Node, roots: Mapping[str, object]) -> object:
    match node:
        case nodes.And():
            left = _plain(evaluate(node.left, roots))
            return evaluate(node.right, roots) if left else left
        case nodes.Or():
            left = _plain(evaluate(node.left, roots))
            return left or evaluate(node.right, roots)
        case nodes.Not():
            return not _plain(evaluate(node.node, roots))
        case nodes.CondExpr(expr2=nodes.Expr() as otherwise):
            return evaluate(node.expr1 if _plain(evaluate(node.test, roots)) else otherwise, roots)
    raise AssertionError(f"{type(node).__name__} is not a logical node")


def _plain(value: object) -> object:
    """Refuse to decide by a secret."""
    for found in secrets_in(value):
        raise misuse(found)
    return value


def misuse(found: secret.Secret) -> secret.SecretMisuse:
    """Return the error of deciding by a secret."""
    return secret.SecretMisuse(
        f"the secret {found.label} decides in a template", hint="decide with a value that is not secret"
    )


def _filter(node: nodes.Filter, roots: Mapping[str, object]) -> object:
    assert node.node is not None
    if node.name == "default":
        return _default(node, roots)
    arguments = [evaluate(argument, roots) for argument in node.args]
    keywords = {str(keyword.key): evaluate(keyword.value, roots) for keyword in node.kwargs}
    value = evaluate(node.node, roots)
    function = functions.FUNCTIONS[node.name]
    hidden = secrets_in([value, arguments, keywords])
    if not hidden:
        return _call(node.name, function, value, arguments, keywords)
    label = " and ".join(dict.fromkeys(found.label for found in hidden))

    def resolve() -> str:
        plain = [revealed(argument) for argument in arguments]
        named = {key: revealed(argument) for key, argument in keywords.items()}
        try:
            return kinds.text_of(function(revealed(value), *plain, **named))
        except functions.FAILURES:
            # The reason may quote the value, so it goes no further.
            raise problem.TemplateError(f'the filter "{node.name}" failed on the secret {label}') from None

    return secret.Secret(f"{label} | {node.name}", resolve)


def _default(node: nodes.Filter, roots: Mapping[str, object]) -> object:
    assert node.node is not None
    try:
        return evaluate(node.node, roots)
    except problem.Missing:
        (otherwise,) = [*node.args, *(keyword.value for keyword in node.kwargs)]
        return evaluate(otherwise, roots)


def _call(
    name: str, function: Callable[..., object], value: object, arguments: list[object], keywords: dict[str, object]
) -> object:
    try:
        result = function(value, *arguments, **keywords)
    except functions.FAILURES as error:
        raise problem.TemplateError(f'the filter "{name}" failed: {error}') from error
    if isinstance(result, str) and len(result) > kinds.LARGEST_TEXT:
        limit = quantities.bytes_for_people(kinds.LARGEST_TEXT)
        raise problem.TemplateError(f'the filter "{name}" made a text larger than {limit}')
    return result
