"""Plays the functions of a run: each call comes to what the rehearsal states for its phase, or else succeeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import PurePath
from typing import Any

from msgspec import structs

from runner.base import cancel, durations, errors, secret
from runner.base.jsonvalue import JsonValue
from runner.model.rehearsal import Error, Result
from runner.plan.plan import Plan
from runner.registry import args, context, invention
from runner.registry.function import FunctionSpec
from runner.registry.registry import Registry


class Lasting(BaseException):
    """Leaves the call of an attempt that is not over; the call is made again later.

    It is no error, and nothing on its way up takes it for one: it ends at `stage.Stage`.

    Args:
        token: Calls for the attempt's end when it is cancelled; None for an attempt that does not listen.
        due: When the attempt ends by itself, on the monotonic clock; None for never.
    """

    def __init__(self, token: cancel.CancelToken | None, due: float | None) -> None:
        super().__init__()
        self.token = token
        self.due = due


class Play:
    """Stands in for the functions of one run, over all its drives.

    Args:
        plan: What is run.
        results: What becomes of the nodes, by id; those of a phase with `foreach` hold for instances without their own.

    Attributes:
        arguments: Rendered arguments of the last attempt of each node, as they may be shown.
        used: Pointers of the results that were used.
        cancelled_at: The node and attempt at whose start the run is cancelled.
        unanswered: Nodes whose approval is not given in time.
    """

    def __init__(self, plan: Plan, results: Mapping[str, tuple[Result, ...]]) -> None:
        self.arguments: dict[str, Mapping[str, JsonValue]] = {}
        self.used: set[str] = set()
        self.cancelled_at: tuple[str, int] | None = None
        self.unanswered: set[str] = set()
        self._results = results
        self._declared = {node.id: {name: each.type for name, each in node.outputs.items()} for node in plan.nodes}
        self._begun: dict[tuple[str, int], float] = {}

    def registry(self, real: Registry) -> Registry:
        """Return the functions of a registry, each played."""
        return Registry([self._played(spec) for spec in real.functions.values()])

    def unused(self) -> Iterator[tuple[str, Result]]:
        """Yield the results that nothing has asked for, with their nodes."""
        for node, results in self._results.items():
            yield from ((node, result) for result in results if result.pointer not in self.used)

    def _played(self, spec: FunctionSpec) -> FunctionSpec:
        def call(ctx: context.PhaseContext, args: args.Arguments) -> args.Outputs | context.Gate | None:
            return self._call(spec, ctx, args)

        def find(ctx: context.PhaseContext, args: args.Arguments, token: str) -> args.Outputs | None:
            return self._find(spec, ctx, args)

        return structs.replace(spec, call=call, find=None if spec.find is None else find)

    def _call(
        self, spec: FunctionSpec, ctx: context.PhaseContext, arguments: args.Arguments
    ) -> args.Outputs | context.Gate | None:
        self.arguments[ctx.phase] = shown(arguments)
        result = self._result(ctx)
        if result is None:
            result = Result(timeout=(ctx.phase, ctx.attempt) == self.cancelled_at)
        if spec.pure and result.timeout:
            returned = spec.call(ctx, arguments)
            if isinstance(returned, context.Gate):
                self.unanswered.add(ctx.phase)
                return returned
        self._last(ctx, result)
        if result.error is not None:
            raise _exception(result.error)
        if spec.pure and result.outputs is None:
            return spec.call(ctx, arguments)
        return self._outputs(spec, ctx, arguments, result.outputs or {})

    def _find(self, spec: FunctionSpec, ctx: context.PhaseContext, arguments: args.Arguments) -> args.Outputs | None:
        result = self._result(ctx)
        if result is None or result.found is None:
            return None
        return self._outputs(spec, ctx, arguments, result.found)

    def _result(self, ctx: context.PhaseContext) -> Result | None:
        results = self._results.get(ctx.phase) or self._results.get(ctx.phase.removesuffix(f"/{ctx.key}"))
        if results is None:
            return None
        result = results[min(ctx.attempt, len(results)) - 1]
        self.used.add(result.pointer)
        return result

    def _outputs(
        self, spec: FunctionSpec, ctx: context.PhaseContext, arguments: args.Arguments, stated: Mapping[str, JsonValue]
    ) -> args.Outputs:
        declared = self._declared.get(ctx.phase.removesuffix(f"/{ctx.key}"))
        return invention.outputs(spec, ctx.phase, stated, declared=declared, arguments=shown(arguments))

    def _last(self, ctx: context.PhaseContext, result: Result) -> None:
        """Return when the attempt is over; leave the call with `Lasting`, or as cancelled, until then."""
        begun = self._begun.setdefault((ctx.phase, ctx.attempt), ctx.clock.monotonic())
        endless = result.timeout or (result.hangs and not result.takes)
        due = None if endless else begun + result.takes.total_seconds()
        if due is not None and due <= ctx.clock.monotonic():
            return
        if not result.hangs:
            ctx.cancel.raise_if_cancelled()
        raise Lasting(None if result.hangs else ctx.cancel, due)


class Storing:
    """Says what becomes of each attempt to store the restore point.

    Args:
        results: One for each attempt, the last for all that follow; none if it is stored at once.

    Attributes:
        attempts: How many there were.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self.attempts = 0
        self._results = results

    def attempt(self) -> None:
        """Make an attempt.

        Raises:
            RunnerError: The error that the rehearsal states for it.
        """
        self.attempts += 1
        if self._results:
            result = self._results[min(self.attempts, len(self._results)) - 1]
            if result.error is not None:
                raise _exception(result.error)

    def unused(self) -> Sequence[Result]:
        """Return the results that nothing has asked for."""
        return self._results[self.attempts :]


def shown(arguments: args.Arguments) -> dict[str, JsonValue]:
    """Return the arguments that a call was given, as a document would have them; secrets are masked."""
    fields = type(arguments).model_fields.items()
    given = [(field.alias or name, name) for name, field in fields if name in arguments.model_fields_set]
    return {known: _plain(getattr(arguments, name)) for known, name in given}


def _plain(value: Any) -> JsonValue:
    match value:
        case args.Arguments():
            return shown(value)
        case secret.Secret():
            return secret.MASK
        case timedelta():
            return durations.text(value)
        case PurePath():
            return str(value)
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
    plain: JsonValue = value
    return plain


def _exception(error: Error) -> errors.RunnerError:
    match error.kind:
        case "transient":
            return errors.TransientError(error.message, code=error.code)
        case "timeout":
            return errors.TimedOut(error.message, code=error.code)
    return errors.PermanentError(error.message, code=error.code)
