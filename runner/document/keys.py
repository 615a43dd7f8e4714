"""The keys of the language as its schema describes them: where they stand, what they take, what they are for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from runner.base import resources
from runner.base.jsonvalue import JsonValue

# The objects of a blueprint by what people call them, and where the schema has them.
OBJECTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "blueprint": (),
        "metadata": ("properties", "metadata"),
        "requires": ("properties", "requires"),
        "action": ("$defs", "action"),
        "input": ("$defs", "input"),
        "concurrency": ("$defs", "concurrency"),
        "phase": ("$defs", "phase"),
        "foreach": ("$defs", "foreach"),
        "retry": ("$defs", "retry"),
        "backoff": ("$defs", "retry", "properties", "backoff"),
        "output": ("$defs", "output"),
        "revert": ("$defs", "undo"),
        "cleanup": ("$defs", "undo"),
        "deferPhase": ("$defs", "deferPhase"),
        "artifact": ("$defs", "artifact"),
    }
)
# The objects that stand in a mapping under names of the author's own.
_NAMED: Mapping[str, str] = MappingProxyType(
    {"actions": "action", "inputs": "input", "outputs": "output", "outputArtifacts": "artifact", "phases": "phase"}
)


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key, or several of the same name and meaning.

    Attributes:
        parents: The objects that it is a key of.
        type: What it takes, in words.
        limits: Bounds and default, in words; empty for none.
        inside: The object that it holds, or holds by name; empty for none.
    """

    name: str
    parents: tuple[str, ...]
    type: str
    required: bool
    limits: str
    description: str
    examples: tuple[JsonValue, ...]
    inside: str = ""

    @property
    def path(self) -> str:
        """How it is told from others of its name: `phase.when`."""
        return f"{self.parents[0]}.{self.name}"


def load() -> dict[str, list[Key]]:
    """Return the keys of each object, in the order of the schema."""
    root = json.loads((resources.schemas() / "blueprint.schema.json").read_text(encoding="utf-8"))
    return {name: [_key(root, name, *entry) for entry in _entries(root, path)] for name, path in OBJECTS.items()}


def describe(name: str) -> str:
    """Return what an object is for."""
    root = json.loads((resources.schemas() / "blueprint.schema.json").read_text(encoding="utf-8"))
    return str(_part(root, OBJECTS[name])["description"])


def find(text: str, known: Mapping[str, list[Key]]) -> list[Key]:
    """Return the keys that a name or a path (`phase.when`, `phase.foreach.items`) can mean, one for each meaning."""
    *_, parent, name = ["", *text.split(".")]
    found = [key for keys in known.values() for key in keys if key.name == name and parent in ("", key.parents[0])]
    merged: dict[str, Key] = {}
    for key in found:
        same = merged.get(key.description)
        merged[key.description] = key if same is None else _merged(same, key)
    return list(merged.values())


def _merged(one: Key, other: Key) -> Key:
    return Key(
        name=one.name,
        parents=(*one.parents, *other.parents),
        type=one.type,
        required=one.required,
        limits=one.limits,
        description=one.description,
        examples=one.examples,
        inside=one.inside,
    )


def _part(root: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        root = root[name]
    return root


def _entries(root: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any, bool]]:
    part = _part(root, path)
    required = set(part.get("required", ()))
    for name, shape in part["properties"].items():
        yield name, _resolved(root, shape), name in required


def _resolved(root: Any, shape: Any) -> Any:
    """Return a shape with what it refers to; what it says itself counts."""
    while "$ref" in shape:
        target = shape["$ref"].rpartition("/")[2]
        shape = {"x-name": target, **root["$defs"][target], **{key: shape[key] for key in shape if key != "$ref"}}
    return shape


def _key(root: Any, parent: str, name: str, shape: Any, required: bool) -> Key:
    return Key(
        name=name,
        parents=(parent,),
        type=_type(root, shape),
        required=required,
        limits=_limits(shape),
        description=shape["description"],
        examples=tuple(shape.get("examples", ())),
        inside=_NAMED.get(name, name if name in OBJECTS else ""),
    )


def _type(root: Any, shape: Any) -> str:
    shape = _resolved(root, shape)
    if shape.get("x-name") in ("duration", "identifier"):
        return str(shape["x-name"])
    if "enum" in shape:
        return " or ".join(map(str, shape["enum"]))
    if "const" in shape:
        return str(shape["const"])
    kinds = shape.get("type", "any value")
    named = kinds if isinstance(kinds, str) else " or ".join(kinds)
    return f"{named} of {_type(root, shape['items'])}" if named == "array" and "items" in shape else named


def _limits(shape: Any) -> str:
    found = [f"at least {shape['minimum']}"] if "minimum" in shape else []
    found += [f"at most {shape['maximum']}"] if "maximum" in shape else []
    found += [f"default {json.dumps(shape['default'])}"] if "default" in shape else []
    return ", ".join(found)
