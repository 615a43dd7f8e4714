"""The functions of templates over lists and mappings; they belong to the table of `functions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.templates import kinds


def length(value: str | Mapping[str, object] | Sequence[object]) -> int:
    """Count the items of a list or mapping, or the characters of a text.

    Example:
        `{{ ["data", "wal"] | length }}` gives `2`
    """
    if not isinstance(value, Mapping | Sequence):
        raise TypeError(f"expected a list, a mapping or a text, got {kinds.describe(value)}")
    return len(value)


def keys(value: Mapping[str, object]) -> list[object]:
    """List the keys of a mapping, in its order.

    Example:
        `{{ {"data": 1, "wal": 2} | keys }}` gives `["data","wal"]`
    """
    return list(kinds.mapping(value))


def values(value: Mapping[str, object]) -> list[object]:
    """List the values of a mapping, in its order.

    Example:
        `{{ {"data": 1, "wal": 2} | values }}` gives `[1,2]`
    """
    return list(kinds.mapping(value).values())


def pluck(value: Mapping[str, object] | Sequence[object], path: str) -> list[object]:
    """Take the same part of every item of a list, or of every value of a mapping such as `phases.NAME.each`.

    Example:
        `{{ [{"id": {"short": "a"}}, {"id": {"short": "b"}}] | pluck("id.short") }}` gives `["a","b"]`
    """
    parts = kinds.text(path).split(".")
    items = value.values() if isinstance(value, Mapping) else kinds.sequence(value)
    return [_part(item, parts, number) for number, item in enumerate(items)]


def sort(value: Sequence[object]) -> list[object]:
    """Sort a list of texts or of numbers.

    Example:
        `{{ ["wal", "data"] | sort }}` gives `["data","wal"]`
    """
    return sorted(kinds.sequence(value))  # type: ignore[type-var]


def unique(value: Sequence[object]) -> list[object]:
    """Leave out what a list has had before.

    Example:
        `{{ ["a", "b", "a"] | unique }}` gives `["a","b"]`
    """
    seen: dict[str, object] = {}
    for item in kinds.sequence(value):
        seen.setdefault(kinds.text_of(item), item)
    return list(seen.values())


def _part(item: object, parts: Sequence[str], number: int) -> object:
    for part in parts:
        if not isinstance(item, Mapping) or part not in item:
            raise ValueError(f"item {number} has no {'.'.join(parts)}")
        item = item[part]
    return item
