"""A `foreach` becomes instances: its items with their keys, and one node for each, with undo nodes of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import structs

from runner.plan import plan
from runner.templates import bare, evaluate, kinds, problem, render

MOST_ITEMS = 10_000
_SHOWN = 60
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")


def items(foreach: plan.Foreach, roots: Mapping[str, object]) -> dict[str, Any]:
    """Return the items of a phase by key, in their order.

    Raises:
        TemplateError: KB401 to KB405 as the expressions raise them; KB410 if they yield no list; KB412 if a key cannot
            be used, or stands for two items.
        SecretMisuse: KB702 if an item is, or holds, a secret.
    """
    found = _listed(foreach.items, roots)
    for secret in evaluate.secrets_in(found):
        raise evaluate.misuse(secret)
    if len(found) > MOST_ITEMS:
        hint = f"split the work: {MOST_ITEMS:,} are the most"
        raise problem.TemplateError(f"foreach has {len(found):,} items", code="KB410", hint=hint)
    keyed: dict[str, Any] = {}
    for index, (key, item) in enumerate(_keyed_items(foreach.key, found, roots)):
        if key in keyed:
            raise _off_key(f'two items have the key "{key}", the second is number {index}')
        keyed[key] = item
    return keyed


def instances(group: plan.PlanNode, keys: Iterable[str]) -> tuple[plan.PlanNode, ...]:
    """Return the nodes of a group, in the order of the keys."""
    return tuple(_instance(group, key) for key in keys)


def _listed(written: str | Sequence[Any], roots: Mapping[str, object]) -> Sequence[Any] | Mapping[str, Any]:
    if not isinstance(written, str):
        rendered: Any = render.render(written, roots)
        return list(rendered)
    found = bare.value(written, roots)
    if isinstance(found, Mapping) or (isinstance(found, Sequence) and not isinstance(found, str)):
        return found
    for secret in evaluate.secrets_in(found):
        raise evaluate.misuse(secret)
    message = f"the items of foreach are {kinds.describe(found)}, not a list or a mapping"
    raise problem.TemplateError(message, code="KB410", hint="name a list: [a, b], an input of type array, or an output")


def _keyed_items(
    expression: str, found: Sequence[Any] | Mapping[str, Any], roots: Mapping[str, object]
) -> Iterator[tuple[str, Any]]:
    values = list(found.values()) if isinstance(found, Mapping) else list(found)
    if expression:
        for index, item in enumerate(values):
            yield _key(bare.value(expression, {**roots, "item": item, "index": index}), index), item
    elif isinstance(found, Mapping):
        for index, (key, item) in enumerate(found.items()):
            yield _key(key, index), item
    elif all(isinstance(item, str) and _KEY.fullmatch(item) for item in values):
        yield from ((item, item) for item in values)
    else:
        yield from ((str(index), item) for index, item in enumerate(values))


def _key(found: object, index: int) -> str:
    for secret in evaluate.secrets_in(found):
        raise evaluate.misuse(secret)
    key = kinds.text_of(found)
    if not _KEY.fullmatch(key):
        shown = key if len(key) <= _SHOWN else key[:_SHOWN] + "…"
        raise _off_key(f'the key "{shown}" of item {index} cannot be used')
    return key


def _off_key(message: str) -> problem.TemplateError:
    hint = "keys are unique, of at most 64 letters, digits, dots, dashes and _"
    return problem.TemplateError(message, code="KB412", hint=hint)


def _instance(group: plan.PlanNode, key: str) -> plan.PlanNode:
    return structs.replace(
        _keyed(group, key),
        edges=(),
        when="",
        foreach=None,
        revert=None if group.revert is None else _keyed(group.revert, key),
        cleanup=None if group.cleanup is None else _keyed(group.cleanup, key),
    )


def _keyed(node: plan.PlanNode, key: str) -> plan.PlanNode:
    return structs.replace(node, id=f"{node.id}/{key}", key=key)
