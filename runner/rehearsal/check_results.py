"""Whether the results that a rehearsal gives are such that a phase can have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.base import errors, suggest
from runner.base import span as spans
from runner.base.diagnostic import Diagnostic
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.checks import input_values
from runner.model.blueprint import Action, Call, OutputDeclaration, Phase
from runner.model.rehearsal import Rehearsal, Result
from runner.registry import args, function, invention
from runner.registry.function import FunctionSpec
from runner.registry.registry import Registry
from runner.rehearsal import names


def check(
    rehearsal: Rehearsal, action: Action, registry: Registry, everything: Mapping[str, tuple[Call, Phase]]
) -> Iterator[Diagnostic]:
    """Report results that cannot be; names that lead nowhere are passed over."""
    yield from _storings(rehearsal, action, registry)
    for name, results in rehearsal.given.results.items():
        found = names.find(name, everything)
        spec = None if found is None else registry.find(found.call.function)
        if found is None or spec is None:
            continue
        for result in results:
            yield from _Results(rehearsal, name, found, spec).check(result, has_deadline=action.timeout is not None)


def _storings(rehearsal: Rehearsal, action: Action, registry: Registry) -> Iterator[Diagnostic]:
    """Report results of storing a restore point that no run of the action can make."""
    specs = [registry.find(phase.function) for phase in action.phases]
    if rehearsal.given.restore_point and not any(spec is None or _exports(spec) for spec in specs):
        message = f'the action "{action.name}" makes no restore point, since none of its phases exports'
        span = rehearsal.span("/given/restorePoint", key=True)
        yield Diagnostic(code="KB331", message=message, span=span, hint="remove it")
    for result in rehearsal.given.restore_point:
        yield from _retryable(rehearsal, result)


def _exports(spec: FunctionSpec) -> bool:
    return issubclass(spec.outputs, args.ExportOutputs)


def _retryable(rehearsal: Rehearsal, result: Result) -> Iterator[Diagnostic]:
    pointer = f"{result.pointer}/error/retryable"
    retryable = rehearsal.value(pointer)
    if result.error is not None and retryable is not None and retryable != (result.error.kind == "transient"):
        message = f"an error of kind {result.error.kind} is {'not ' if retryable else ''}retryable"
        yield Diagnostic(code="KB331", message=message, span=rehearsal.span(pointer), hint="remove one of the two")


class _Results:
    """The results of one node."""

    def __init__(self, rehearsal: Rehearsal, name: str, node: names.Named, spec: FunctionSpec) -> None:
        self._rehearsal = rehearsal
        self._name = name
        self._spec = spec
        self._node = node
        # Only a phase declares outputs; its revert and cleanup have none.
        is_phase = node.call is node.phase
        self._declared: Mapping[str, OutputDeclaration] = node.phase.outputs if is_phase else {}

    def check(self, result: Result, *, has_deadline: bool) -> Iterator[Diagnostic]:
        """Report what is wrong with one of them."""
        yield from self._outputs(f"{result.pointer}/outputs", result.outputs)
        yield from self._outputs(f"{result.pointer}/found", result.found)
        if result.found is not None and self._spec.find is None:
            message = f"{self._spec.name} cannot look for what it has created"
            yield self._finding(f"{result.pointer}/found", message, "settle the phase with given.settle, or remove it")
        yield from self._contradictions(result)
        is_bounded = self._node.call.timeout is not None or has_deadline or self._rehearsal.given.cancel is not None
        if result.timeout and not (is_bounded or self._spec.pure):
            message = f'"{self._name}" has no time limit that could end it'
            yield self._finding(f"{result.pointer}/timeout", message, "give the phase a `timeout`")

    def _contradictions(self, result: Result) -> Iterator[Diagnostic]:
        if result.error is not None and result.outputs is not None:
            message = "an attempt that fails returns no outputs"
            hint = "remove one of the two; what it has created nevertheless stands under `found`"
            yield self._finding(f"{result.pointer}/outputs", message, hint)
        if result.timeout and (result.error is not None or result.outputs is not None):
            message = "an attempt that ends by its time limit returns nothing and has no other error"
            yield self._finding(f"{result.pointer}/timeout", message, "remove one of the two")
        yield from _retryable(self._rehearsal, result)

    def _outputs(self, pointer: str, stated: JsonObject | None) -> Iterator[Diagnostic]:
        known = [*function.outputs_of(self._spec), *self._declared]
        for name, value in (stated or {}).items():
            place = pointer + spans.pointer([name])
            if name not in known:
                hint = suggest.hint(name, known) if known else self._no_outputs()
                message = f'phase "{self._name}" ({self._spec.name}) has no output "{name}"'
                span = self._rehearsal.span(place, key=True)
                yield Diagnostic(code="KB312", message=message, span=span, hint=hint)
            elif name in self._declared:
                yield from self._typed(place, self._declared[name], value)
            else:
                yield from self._modelled(place, name, value)

    def _no_outputs(self) -> str:
        return "declare it in the phase under `outputs`" if self._spec.dynamic_outputs else "it has no outputs"

    def _typed(self, place: str, declared: OutputDeclaration, value: JsonValue) -> Iterator[Diagnostic]:
        if not input_values.has_type(declared.type, value):
            message = f'the output "{declared.name}" must be {input_values.words(declared.type)}'
            yield self._finding("/kind" if declared.secret else place, message, "give it a value of its declared type")

    def _modelled(self, place: str, name: str, value: JsonValue) -> Iterator[Diagnostic]:
        try:
            invention.outputs(self._spec, self._name, {name: value})
        except errors.PermanentError as error:
            yield self._finding(place, error.message, "see `runner explain " + self._spec.name + "`")

    def _finding(self, pointer: str, message: str, hint: str) -> Diagnostic:
        return Diagnostic(code="KB331", message=message, span=self._rehearsal.span(pointer), hint=hint)
