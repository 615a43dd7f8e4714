"""Whether a rehearsal fits its blueprint: names, inputs, artifacts, results; every problem at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from runner.base import codes, suggest
from runner.base import span as spans
from runner.base.diagnostic import Diagnostic, in_order
from runner.checks import input_values
from runner.model.blueprint import Action, Blueprint, Call, Phase
from runner.model.rehearsal import Rehearsal
from runner.plan import names as plan_names
from runner.registry.registry import Registry
from runner.rehearsal import check_results, names


class _Use(msgspec.Struct, frozen=True, kw_only=True):
    """A name of a node in a rehearsal, and where it stands."""

    name: str
    pointer: str
    key: bool = False
    of_one: bool = False


def check(rehearsal: Rehearsal, blueprint: Blueprint, registry: Registry) -> list[Diagnostic]:
    """Return everything that is wrong with a rehearsal whose shape is right, in the order of the document."""
    action = blueprint.actions.get(rehearsal.action)
    if action is None:
        hint = suggest.hint(rehearsal.action, blueprint.actions, kind="action")
        message = plan_names.action(blueprint, rehearsal.action).message
        return [Diagnostic(code="KB303", message=message, span=rehearsal.span("/action"), hint=hint)]
    everything = names.known(action)
    return in_order(
        [
            *_nodes(rehearsal, action, everything),
            *_inputs(rehearsal, action),
            *_artifacts(rehearsal, action),
            *_arguments(rehearsal, registry, everything),
            *_codes(rehearsal),
            *check_results.check(rehearsal, action, registry, everything),
        ]
    )


def _nodes(rehearsal: Rehearsal, action: Action, everything: Mapping[str, tuple[Call, Phase]]) -> Iterator[Diagnostic]:
    for use in _uses(rehearsal):
        found = names.find(use.name, everything)
        span = rehearsal.span(use.pointer, key=use.key)
        if found is None:
            yield Diagnostic(
                code="KB310",
                message=f'the action "{action.name}" has no phase "{use.name}"',
                span=span,
                hint=_hint(use.name, everything),
            )
        elif use.of_one and found.is_group:
            yield Diagnostic(
                code="KB310",
                message=f'phase "{found.phase.name}" has an instance for each item',
                span=span,
                hint=f"name one of them: {use.name}/KEY",
            )


def _hint(name: str, everything: Mapping[str, tuple[Call, Phase]]) -> str:
    parent = name.rpartition("/")[0]
    if parent in everything:
        return f'phase "{parent}" has no `foreach`, so it has no instances'
    return suggest.hint(name, everything, kind="phase")


def _uses(rehearsal: Rehearsal) -> Iterator[_Use]:
    given, expect = rehearsal.given, rehearsal.expect
    yield from _keys(given.results, "/given/results")
    yield from _keys(given.settle, "/given/settle", of_one=True)
    yield from _items(given.approvals, "/given/approvals", of_one=True)
    for moment in (*given.crashes, *([given.cancel] if given.cancel else [])):
        yield _Use(name=moment.after, pointer=f"{moment.pointer}/after", of_one=True)
    yield from _keys(expect.states, "/expect/states")
    yield from _keys(expect.arguments, "/expect/arguments", of_one=True)
    yield from _keys(expect.attempts, "/expect/attempts", of_one=True)
    yield from _items(expect.sequence or (), "/expect/sequence", of_one=True)
    yield from _items(expect.not_run or (), "/expect/not_run")
    yield from _items(expect.skipped or (), "/expect/skipped")
    yield from _items(expect.restore_point or (), "/expect/restorePoint", of_one=True)
    for message in (*(expect.warnings or ()), *([expect.error] if expect.error else [])):
        if message.phase is not None:
            yield _Use(name=message.phase, pointer=f"{message.pointer}/phase")


def _keys(names: Iterable[str], pointer: str, *, of_one: bool = False) -> Iterator[_Use]:
    for name in names:
        yield _Use(name=name, pointer=pointer + spans.pointer([name]), key=True, of_one=of_one)


def _items(names: Iterable[str], pointer: str, *, of_one: bool = False) -> Iterator[_Use]:
    for index, name in enumerate(names):
        yield _Use(name=name, pointer=f"{pointer}/{index}", of_one=of_one)


def _inputs(rehearsal: Rehearsal, action: Action) -> Iterator[Diagnostic]:
    given = rehearsal.given.inputs
    for name, value in given.items():
        declared = action.inputs.get(name)
        span = rehearsal.span(spans.pointer(["given", "inputs", name]), key=True)
        if declared is None:
            hint = suggest.hint(name, action.inputs) if action.inputs else "the action takes no inputs"
            yield Diagnostic(code="KB511", message=f'there is no input "{name}"', span=span, hint=hint)
        elif (fault := input_values.fault(declared, value)) is not None:
            # A finding shows the line of its place, and that of a secret must not be shown.
            place = rehearsal.span("/kind") if declared.secret else rehearsal.span(span.pointer)
            yield Diagnostic(code="KB512", message=fault, span=place)
    for name, declared in action.inputs.items():
        if declared.required and name not in given:
            span = rehearsal.span("/action")
            hint = f"write it under given.inputs: {name}"
            yield Diagnostic(code="KB510", message=f'the input "{name}" is missing', span=span, hint=hint)


def _artifacts(rehearsal: Rehearsal, action: Action) -> Iterator[Diagnostic]:
    given, taken = rehearsal.given.artifacts_in, action.input_artifact_names
    for name in given:
        if name not in taken:
            span = rehearsal.span(spans.pointer(["given", "artifactsIn", name]), key=True)
            hint = suggest.hint(name, taken) if taken else "it takes none"
            message = f'the action "{action.name}" does not take the artifact "{name}"'
            yield Diagnostic(code="KB314", message=message, span=span, hint=hint)
    for name in taken:
        if name not in given:
            message = f'the action "{action.name}" takes the artifact "{name}", which is not given'
            hint = f"write it under given.artifactsIn: {name}: {{KEY: VALUE}}"
            yield Diagnostic(code="KB331", message=message, span=rehearsal.span("/action"), hint=hint)
    for name in rehearsal.expect.artifacts or ():
        if name not in action.output_artifacts:
            span = rehearsal.span(spans.pointer(["expect", "artifacts", name]), key=True)
            message = f'the action "{action.name}" has no output artifact "{name}"'
            hint = suggest.hint(name, action.output_artifacts, kind="output artifact")
            yield Diagnostic(code="KB331", message=message, span=span, hint=hint)


def _arguments(
    rehearsal: Rehearsal, registry: Registry, everything: Mapping[str, tuple[Call, Phase]]
) -> Iterator[Diagnostic]:
    """Report expected arguments that a function does not take."""
    for node, arguments in rehearsal.expect.arguments.items():
        found = names.find(node, everything)
        spec = registry.find(found.call.function) if found else None
        if spec is None:
            continue
        taken = [field.alias or name for name, field in spec.arguments.model_fields.items()]
        for name in arguments:
            if name not in taken:
                span = rehearsal.span(spans.pointer(["expect", "arguments", node, name]), key=True)
                message, hint = f'{spec.name} has no argument "{name}"', suggest.hint(name, taken)
                yield Diagnostic(code="KB502", message=message, span=span, hint=hint)


def _codes(rehearsal: Rehearsal) -> Iterator[Diagnostic]:
    """Report error codes that do not exist."""
    given = rehearsal.given
    results = [result for results in (*given.results.values(), given.restore_point) for result in results]
    for pointer in (*(f"{result.pointer}/error/code" for result in results), "/expect/error/code"):
        code = rehearsal.text(pointer)
        if code is not None and code not in codes.CODES:
            hint = f"{suggest.hint(code, codes.CODES)} (see `runner explain`)"
            message = f'there is no error code "{code}"'
            yield Diagnostic(code="KB331", message=message, span=rehearsal.span(pointer), hint=hint)
