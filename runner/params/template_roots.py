"""The file of `runner render --params`: what templates shall read, by root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from runner.base import errors, suggest
from runner.base.jsonvalue import JsonValue
from runner.params import mappings

_MAPPINGS = ("inputs", "phases", "artifactsIn", "object", "profile", "run")
_OTHERS = ("time", "item", "key", "index", "statefulSet", "deployment", "pvc", "namespace")


class TemplateRoots(msgspec.Struct, frozen=True, kw_only=True):
    """What was given: the inputs, the data of phases, and the other roots."""

    inputs: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    phases: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    others: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)


def read(path: Path, cwd: Path) -> TemplateRoots:
    """Read the roots.

    Raises:
        UsageError: RT101 for a root that does not exist or is not of its form; else as `mappings.read`.
    """
    given = mappings.read(
        path,
        cwd,
        what="template roots to values",
        code="RT101",
        hint="write `inputs:`, `phases:`, … and what they hold",
    )
    roots: dict[str, JsonValue] = {}
    for key, node in given.entries:
        value = node.plain()
        if key.text not in (*_MAPPINGS, *_OTHERS):
            hint = suggest.hint(key.text, [*_MAPPINGS, *_OTHERS])
            raise errors.UsageError(f'templates cannot read "{key.text}"', hint=hint, span=key.span)
        if key.text in _MAPPINGS and not isinstance(value, Mapping):
            raise errors.UsageError(f"{key.text} is not a mapping", hint="write one NAME: VALUE a line", span=node.span)
        roots[key.text] = value
    return TemplateRoots(
        inputs=_mapping(roots.pop("inputs", {})), phases=_mapping(roots.pop("phases", {})), others=roots
    )


def check_phases(roots: TemplateRoots, known: Sequence[str]) -> None:
    """Make sure that data is given of phases only that there are.

    Raises:
        UsageError: RT101 with the closest name.
    """
    for name in roots.phases:
        if name not in known:
            hint = suggest.hint(name, known, kind="phase")
            raise errors.UsageError(f'data is given of the unknown phase "{name}"', hint=hint)


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    assert isinstance(value, Mapping), "checked when it was read"
    return value
