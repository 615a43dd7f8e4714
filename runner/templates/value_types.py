"""What kinds of values an expression may yield, as far as that is known before a run."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from typing import Annotated, Any, TypeAlias

from runner.base.jsonvalue import JsonValue


class Kind(Enum):
    """One kind of value."""

    TEXT = auto()
    # A text that may stand in shell text as it is: quoted, written there by the author, or of harmless letters only.
    SHELL_TEXT = auto()
    INTEGER = auto()
    FRACTION = auto()
    BOOLEAN = auto()
    LIST = auto()
    MAPPING = auto()
    NOTHING = auto()


# The kinds that are possible; never empty.
Type: TypeAlias = "frozenset[Kind]"

ANY: Type = frozenset(Kind)
TEXT: Type = frozenset({Kind.TEXT})
WORD: Type = frozenset({Kind.SHELL_TEXT})
NUMBER: Type = frozenset({Kind.INTEGER, Kind.FRACTION})
BOOLEAN: Type = frozenset({Kind.BOOLEAN})
LIST: Type = frozenset({Kind.LIST})
MAPPING: Type = frozenset({Kind.MAPPING})
CONTAINERS: Type = LIST | MAPPING

# What a filter returns that makes a text safe for a shell.
ShellSafe: TypeAlias = Annotated[str, Kind.SHELL_TEXT]

_WORDS: Mapping[Kind, str] = types.MappingProxyType(
    {
        Kind.TEXT: "a text",
        Kind.SHELL_TEXT: "a text",
        Kind.INTEGER: "a number",
        Kind.FRACTION: "a number",
        Kind.BOOLEAN: "true or false",
        Kind.LIST: "a list",
        Kind.MAPPING: "a mapping",
        Kind.NOTHING: "nothing",
    }
)
_DECLARED: Mapping[str, Type] = types.MappingProxyType(
    {
        "string": TEXT,
        "path": TEXT,
        "integer": frozenset({Kind.INTEGER}),
        "number": NUMBER,
        "boolean": BOOLEAN,
        "array": LIST,
        "object": MAPPING,
    }
)


def declared(name: str) -> Type:
    """Return the type that an input or output is declared with."""
    return _DECLARED.get(name, ANY)


def words(type_: Type) -> str:
    """Say a type: `a text`, `a list or a mapping`."""
    return " or ".join(dict.fromkeys(_WORDS[kind] for kind in Kind if kind in type_))


def families(type_: Type) -> frozenset[str]:
    """Return the kinds of which values can be compared with each other."""
    return frozenset(_WORDS[kind] for kind in type_)


def union(found: Iterable[Type]) -> Type:
    """Return the type of a value that has one of some types."""
    return frozenset().union(*found) or ANY


def of_value(value: JsonValue) -> Type:
    """Return the type of a value that the author has written."""
    match value:
        case None:
            return frozenset({Kind.NOTHING})
        case bool():
            return BOOLEAN
        case int():
            return frozenset({Kind.INTEGER})
        case float():
            return frozenset({Kind.FRACTION})
        case str():
            return WORD
        case Mapping():
            return MAPPING
    return LIST


def of_annotation(annotation: Any) -> Type:
    """Return the type that an annotation of Python stands for; `object` and what is unknown here are any."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        kinds = frozenset(part for part in parts[1:] if isinstance(part, Kind))
        return kinds or of_annotation(parts[0])
    if origin in (typing.Union, types.UnionType):
        return union(map(of_annotation, parts))
    if origin is typing.Literal:
        return union(map(of_value, parts))
    return _of_class(origin or annotation)


def _of_class(found: Any) -> Type:
    if found in (None, type(None)):
        return frozenset({Kind.NOTHING})
    if not isinstance(found, type):
        return ANY
    if issubclass(found, str):
        return TEXT
    if issubclass(found, bool):
        return BOOLEAN
    if issubclass(found, int):
        return frozenset({Kind.INTEGER})
    if issubclass(found, float):
        return NUMBER
    if issubclass(found, Mapping):
        return MAPPING
    return LIST if issubclass(found, Sequence) else ANY
