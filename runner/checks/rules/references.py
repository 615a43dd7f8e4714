"""What templates read besides phases exists: roots (KB315), inputs (KB313, KB404), artifacts (KB314)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from runner.base import span as spans
from runner.base import suggest
from runner.base.diagnostic import Diagnostic, Related
from runner.checks import scope as scopes

ROOTS: Mapping[str, str] = MappingProxyType(
    {
        "inputs": "inputs.NAME",
        "phases": "phases.NAME.outputs.KEY",
        "artifactsIn": "artifactsIn.NAME.KEY",
        "object": "object.metadata.name",
        "profile": "profile.…",
        "time": "time",
        "run": "run.id",
        "statefulSet": "statefulSet.name",
        "deployment": "deployment.name",
        "pvc": "pvc.name",
        "namespace": "namespace.name",
    }
)


# What is known when a run asks for its concurrency group.
_GROUP_ROOTS = frozenset({"inputs", "object"})


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report references whose root, input or artifact does not exist."""
    for each in scope.actions:
        for use in each.uses:
            match use.read.reference.root:
                case root if use.site.where is scopes.Where.GROUP and root in ROOTS and root not in _GROUP_ROOTS:
                    yield _group(scope, use, root)
                case "phases":
                    continue
                case "inputs":
                    yield from _input(scope, each, use)
                case "artifactsIn":
                    yield from _artifact(scope, each, use)
                case root:
                    yield from _root(scope, use, root)


def _root(scope: scopes.Scope, use: scopes.Use, root: str) -> Iterator[Diagnostic]:
    if root in use.site.roots:
        return
    if root in scopes.INSTANCE_ROOTS:
        message = f'{use.site.owner} reads "{root}", which only an instance of a foreach has'
        hint = "read an input" if use.site.phase is None else "give the phase a `foreach`, or read an input"
        yield Diagnostic(code="KB315", message=message, span=scope.part(use, 0), hint=hint)
    elif root not in ROOTS:
        message = f'{use.site.owner} reads "{root}", which does not exist'
        yield Diagnostic(code="KB315", message=message, span=scope.part(use, 0), hint=suggest.hint(root, ROOTS))


def _group(scope: scopes.Scope, use: scopes.Use, root: str) -> Diagnostic:
    message = f'{use.site.owner} reads "{root}", which is not known before the run starts'
    hint = "read inputs or the object"
    return Diagnostic(code="KB315", message=message, span=scope.part(use, 0), hint=hint)


def _input(scope: scopes.Scope, action: scopes.ActionScope, use: scopes.Use) -> Iterator[Diagnostic]:
    path, inputs = use.read.reference.path, action.action.inputs
    if len(path) < 2:
        return
    declared = inputs.get(str(path[1]))
    if declared is None:
        yield _undeclared(scope, action, use, str(path[1]))
    elif not (declared.required or declared.has_default or use.read.reference.guarded):
        yield Diagnostic(
            code="KB404",
            message=f'{use.site.owner} reads the input "{declared.name}", which may be left out',
            span=scope.part(use, -1),
            hint="make it `required`, give it a `default`, or use the filter default",
            related=(Related(span=scope.blueprint.span(declared.pointer, key=True), message="it is declared here"),),
        )


def _undeclared(scope: scopes.Scope, action: scopes.ActionScope, use: scopes.Use, name: str) -> Diagnostic:
    inputs = action.action.inputs
    best = suggest.closest(name, inputs)
    related: tuple[Related, ...] = ()
    if best is not None:
        place = scope.blueprint.span(inputs[best].pointer, key=True)
        related = (Related(span=place, message=f'"{best}" is declared here'),)
    return Diagnostic(
        code="KB313",
        message=f'{use.site.owner} reads the undeclared input "{name}"',
        span=scope.part(use, 1),
        hint=suggest.hint(name, inputs) if inputs else f'declare it under `inputs` of "{action.action.name}"',
        related=related,
    )


def _artifact(scope: scopes.Scope, action: scopes.ActionScope, use: scopes.Use) -> Iterator[Diagnostic]:
    path, names = use.read.reference.path, action.action.input_artifact_names
    if len(path) < 2:
        message = "a template reads one artifact at a time"
        yield Diagnostic(code="KB315", message=message, span=scope.part(use, 0), hint="write artifactsIn.NAME.KEY")
    elif path[1] not in names:
        best = suggest.closest(str(path[1]), names)
        yield Diagnostic(
            code="KB314",
            message=f'{use.site.owner} reads the artifact "{path[1]}", which the action does not take',
            span=scope.part(use, 1),
            hint=f'did you mean "{best}"?' if best else f'add "{path[1]}" to `inputArtifactNames`',
        )
    elif len(path) > 2 and not use.read.reference.guarded:
        yield from _key(scope, use, str(path[1]), str(path[2]))


def _key(scope: scopes.Scope, use: scopes.Use, artifact: str, name: str) -> Iterator[Diagnostic]:
    """Report a key that no action puts into the artifact; one that no action of the blueprint makes is another's."""
    makers = [action for action in scope.blueprint.actions.values() if artifact in action.output_artifacts]
    keys = {key: action for action in reversed(makers) for key in action.output_artifacts[artifact]}
    if not makers or name in keys:
        return
    best = suggest.closest(name, keys)
    related: tuple[Related, ...] = ()
    if best is not None:
        pointer = keys[best].pointer + spans.pointer(["outputArtifacts", artifact, "keyValue", best])
        related = (Related(span=scope.blueprint.span(pointer, key=True), message=f'"{best}" is put into it here'),)
    yield Diagnostic(
        code="KB318",
        message=f'{use.site.owner} reads the key "{name}", which the artifact "{artifact}" does not have',
        span=scope.part(use, 2),
        hint=suggest.hint(name, keys, kind="key"),
        related=related,
    )
