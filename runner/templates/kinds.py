"""What kinds of values filters work with: telling them apart, insisting on one, and writing any as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.base import jsonvalue, quantities

# What a filter may produce; templates make arguments, not data.
LARGEST_TEXT = 1 << 20


def text_of(value: object) -> str:
    """Write a value as text: a text as it is, everything else as JSON (`true`, `3`, `["a"]`)."""
    return value if isinstance(value, str) else jsonvalue.canonical(value)  # type: ignore[arg-type]


def describe(value: object) -> str:
    """Say what a value is, for messages: `a text`, `a list`."""
    for kinds, words in _KINDS:
        if isinstance(value, kinds):
            return words
    return "nothing" if value is None else f"a {type(value).__name__}"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "a text"),
    (bool, "a boolean"),
    ((int, float), "a number"),
    (Mapping, "a mapping"),
    (Sequence, "a list"),
)


def text(value: object) -> str:
    """Insist on a text.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {describe(value)}")
    return value


def sequence(value: object) -> Sequence[object]:
    """Insist on a list.

    Raises:
        TypeError: If it is none.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"expected a list, got {describe(value)}")
    return value


def mapping(value: object) -> Mapping[str, object]:
    """Insist on a mapping.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"expected a mapping, got {describe(value)}")
    return value


def is_whole(value: object) -> bool:
    """Tell whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole(value: object) -> int:
    """Insist on a whole number.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected a whole number, got {describe(value)}")
    return value


def check_size(size: int) -> None:
    """Insist on a result of bounded size.

    Raises:
        ValueError: If it would be larger than `LARGEST_TEXT`.
    """
    if size > LARGEST_TEXT:
        raise ValueError(f"the result would be larger than {quantities.bytes_for_people(LARGEST_TEXT)}")
