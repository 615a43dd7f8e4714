"""Outputs that nobody stated: of the right types, complete, and always the same."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from runner.base import errors
from runner.registry import args, context, invention
from runner.registry.function import Effects, FunctionSpec, function


class MakeArgs(args.Arguments):
    target: str = args.argument("Where.", default="")


class MakeOutputs(args.Outputs):
    target: str
    bytes_read: int
    ratio: float
    complete: bool
    parts: list[str]
    facts: dict[str, str]
    kind: Literal["full", "changed"]
    parent: str | None
    reason: str = "none"


@function("Make", effects=Effects.CREATES, idempotent=True)
def make(ctx: context.PhaseContext, args: MakeArgs) -> MakeOutputs:
    """Make something."""
    raise NotImplementedError


@function("Say", effects=Effects.MUTATES, idempotent=True, dynamic_outputs=True)
def say(ctx: context.PhaseContext, args: MakeArgs) -> args.DynamicOutputs:
    """Say something."""
    raise NotImplementedError


def _outputs(spec: Any, stated: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    assert isinstance(spec, FunctionSpec)
    return invention.outputs(spec, "dump", stated or {}, **more).model_dump(by_alias=True)


def test_every_output_is_made_up_by_its_type() -> None:
    assert _outputs(make) == {
        "target": "target-of-dump", "bytesRead": 1, "ratio": 1, "complete": True, "parts": [], "facts": {},
        "kind": "full", "parent": None, "reason": "none",
    }  # fmt: skip


def test_what_is_stated_stays() -> None:
    assert _outputs(make, {"bytesRead": 7, "kind": "changed"})["bytesRead"] == 7


def test_an_output_has_the_value_of_the_argument_of_its_name() -> None:
    assert _outputs(make, arguments={"target": "/srv"})["target"] == "/srv"


def test_declared_outputs_are_made_up_by_their_declared_types() -> None:
    declared = {"path": "path", "count": "integer", "name": "string"}
    assert _outputs(say, declared=declared) == {"path": "/path-of-dump", "count": 1, "name": "name-of-dump"}


def test_an_output_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(errors.PermanentError, match='the output "bytesRead" of Make') as raised:
        _outputs(make, {"bytesRead": "many"})
    assert raised.value.code == "KB331"
