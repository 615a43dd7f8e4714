"""Two JSON values side by side: where they differ, as deep down as that can be said."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

Path: TypeAlias = "tuple[str | int, ...]"


class Absent:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """What was expected and what it is; either may be absent."""

    expected: object
    got: object


def differences(expected: object, got: object) -> Iterator[tuple[Path, Sides]]:
    """Yield every place at which two values differ."""
    yield from _differences(expected, got, ())


def equal(one: object, other: object) -> bool:
    """Tell whether two values are the same in JSON, where true is not 1, but 1.0 is."""
    return next(_differences(one, other, ()), None) is None


def first(sides: Sides) -> Path:
    """Return the path to the first item in which two lists differ; empty for other values."""
    expected: Any = sides.expected
    got: Any = sides.got
    if not (_is_list(expected) and _is_list(got)):
        return ()
    pairs = enumerate(itertools.zip_longest(expected, got, fillvalue=ABSENT))
    return next(((index,) for index, (one, other) in pairs if not equal(one, other)), ())


def _differences(expected: Any, got: Any, path: Path) -> Iterator[tuple[Path, Sides]]:
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for key in [*expected, *(key for key in got if key not in expected)]:
            yield from _differences(expected.get(key, ABSENT), got.get(key, ABSENT), (*path, key))
    elif _is_list(expected) and _is_list(got) and len(expected) == len(got) and not _are_scalars(expected, got):
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _differences(one, other, (*path, index))
    elif not _same(expected, got):
        yield path, Sides(expected=expected, got=got)


def _same(expected: Any, got: Any) -> bool:
    if _is_list(expected) and _is_list(got):
        return len(expected) == len(got) and all(equal(*pair) for pair in zip(expected, got, strict=True))
    return isinstance(expected, bool) is isinstance(got, bool) and bool(expected == got)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _are_scalars(*lists: Sequence[object]) -> bool:
    return not any(isinstance(item, Mapping) or _is_list(item) for items in lists for item in items)
