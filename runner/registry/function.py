"""How a storage function is declared: `@function` on a stateless callable with typed arguments and outputs."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from runner.registry import args, context, estimates
from runner.templates import value_types

Call: TypeAlias = Callable[[context.PhaseContext, Any], "args.Outputs | context.Gate | None"]
Find: TypeAlias = Callable[[context.PhaseContext, Any, str], "args.Outputs | None"]
Estimate: TypeAlias = Callable[[Any, estimates.Budget], "estimates.Size | None"]
Foresee: TypeAlias = Callable[[estimates.Call], "estimates.Way | None"]


class Effects(StrEnum):
    """What a function does to the world; only a reading function may run before its start is durable."""

    READS = "reads"
    CREATES = "creates"
    MUTATES = "mutates"
    DELETES = "deletes"


class FunctionSpec(msgspec.Struct, kw_only=True):
    """A registered function and its contract.

    Attributes:
        idempotent: Whether running it twice with equal arguments leaves the world as running it once.
        idempotent_argument: Name of the boolean argument by which the author says so (`RunCommand`), if any.
        duration_argument: Name of the argument that says how long a call takes (`Pause`), if any.
        dynamic_outputs: Whether it returns outputs that the phase declares (`outputs:`), unknown to the model.
        pure: Whether its arguments and the time decide alone what it returns; rehearsals call it as it is.
        find: Looks for what an earlier attempt with the same token created; None if nothing can be looked for.
        estimate: Says how much data a call would read, without reading or changing any; None if that cannot be told.
        foresee: Says in which way a call would read a volume, without changing anything; None if that cannot be told.
        distribution: The package that brought it, for error messages.
    """

    name: str
    effects: Effects
    idempotent: bool
    call: Call
    arguments: type[args.Arguments]
    outputs: type[args.Outputs]
    idempotent_argument: str | None = None
    duration_argument: str | None = None
    dynamic_outputs: bool = False
    pure: bool = False
    since: str = "0.1"
    find: Find | None = None
    estimate: Estimate | None = None
    foresee: Foresee | None = None
    distribution: str = "blueprint-runner"

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.description.split("\n", 1)[0]

    @property
    def description(self) -> str:
        """The docstring."""
        return inspect.getdoc(self.call) or ""

    def finder(self, find: Find) -> Find:
        """Register the decorated callable as this function's `find`."""
        self.find = find
        return find

    def estimator(self, estimate: Estimate) -> Estimate:
        """Register the decorated callable as this function's `estimate`.

        It takes the arguments and a budget, asks the budget before each entry it looks at, and returns None where the
        source does not exist or cannot be seen.
        """
        self.estimate = estimate
        return estimate

    def foreseer(self, foresee: Foresee) -> Foresee:
        """Register the decorated callable as this function's `foresee`."""
        self.foresee = foresee
        return foresee


def outputs_of(spec: FunctionSpec) -> list[str]:
    """Return the names of the outputs that a function always has, as documents write them."""
    return [known.alias or name for name, known in spec.outputs.model_fields.items()]


def output_type(spec: FunctionSpec, output: str) -> value_types.Type:
    """Return the type of an output; one that only a phase can declare may be anything."""
    for name, known in spec.outputs.model_fields.items():
        if output == (known.alias or name):
            return value_types.of_annotation(known.annotation)
    return value_types.ANY


def function(
    name: str,
    *,
    effects: Effects,
    idempotent: bool,
    idempotent_argument: str | None = None,
    duration_argument: str | None = None,
    dynamic_outputs: bool = False,
    pure: bool = False,
    since: str = "0.1",
) -> Callable[[Call], FunctionSpec]:
    """Declare a storage function; arguments and outputs are read from the annotations.

    The callable takes `(ctx, args)` and returns its outputs, nothing, or a `Gate`.

    Raises:
        TypeError: If the annotations do not name an `Arguments` and an `Outputs` model.
    """

    def declare(call: Call) -> FunctionSpec:
        hints = typing.get_type_hints(call)
        arguments, outputs = hints.get("args"), hints.get("return")
        if outputs is type(None):
            outputs = args.NoOutputs
        elif inspect.isclass(outputs) and issubclass(outputs, context.Gate):
            outputs = outputs.outputs_model
        if not (inspect.isclass(arguments) and issubclass(arguments, args.Arguments)):
            raise TypeError(f"{name}: annotate `args` with a subclass of Arguments")
        if not (inspect.isclass(outputs) and issubclass(outputs, args.Outputs)):
            raise TypeError(f"{name}: annotate the return type with a subclass of Outputs, a Gate or None")
        return FunctionSpec(
            name=name,
            effects=effects,
            idempotent=idempotent,
            call=call,
            arguments=arguments,
            outputs=outputs,
            idempotent_argument=idempotent_argument,
            duration_argument=duration_argument,
            dynamic_outputs=dynamic_outputs,
            pure=pure,
            since=since,
        )

    return declare
