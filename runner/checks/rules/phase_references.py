"""What templates read of phases exists (KB310, KB312, KB315) and is there when it is read (KB311)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base import suggest
from runner.base.diagnostic import Diagnostic, Related, Severity
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.registry import function

Where = scopes.Where


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report references to phases and outputs that lead nowhere, or that come too early."""
    for each in scope.actions:
        for use in each.uses:
            if use.read.reference.root == "phases" and use.site.where is not Where.GROUP:
                yield from _reference(scope, each, use)
        for phase in each.action.phases:
            yield from _declared(scope, phase)


def _reference(scope: scopes.Scope, action: scopes.ActionScope, use: scopes.Use) -> Iterator[Diagnostic]:
    name = use.read.phase
    if name is None:
        yield _odd(scope, use, 0, "a template reads one phase at a time", "write phases.NAME.outputs.KEY")
    elif action.action.defer is not None and name == action.action.defer.name:
        message = f"{use.site.owner} reads the deferPhase, which runs last"
        yield _early(scope, use, message, "read a phase of the list instead")
    elif name not in action.phases:
        yield _unknown_phase(scope, action, use, name)
    else:
        yield from _data(scope, action, action.phases[name], use)


def _data(
    scope: scopes.Scope, action: scopes.ActionScope, phase: blueprints.Phase, use: scopes.Use
) -> Iterator[Diagnostic]:
    """Report what is read of a phase: `outputs`, or `each` from outside where it has instances."""
    path, name = use.read.reference.path, phase.name
    wanted = "outputs" if phase.foreach is None or _is_own_undo(use, name) else "each"
    if len(path) > 2 and path[2] == wanted:
        yield from _output(scope, phase, use, 3 if wanted == "outputs" else 5)
        yield from _order(scope, action, use, name)
    elif wanted == "each":
        message = f'phase "{name}" has an instance for each item, and no outputs of its own'
        yield _odd(scope, use, 2, message, f"write phases.{name}.each, or phases.{name}.each.KEY.outputs.NAME")
    else:
        hint = suggest.hint(str(path[2]), ["outputs"]) if len(path) > 2 else "write phases.NAME.outputs.KEY"
        yield _odd(scope, use, 2, f'of phase "{name}" only its outputs can be read', hint)


def _is_own_undo(use: scopes.Use, name: str) -> bool:
    """Tell whether the revert or cleanup of a phase reads it: that belongs to one instance."""
    return use.site.is_of(name) and use.site.where in (Where.REVERT, Where.CLEANUP)


def _unknown_phase(scope: scopes.Scope, action: scopes.ActionScope, use: scopes.Use, name: str) -> Diagnostic:
    best = suggest.closest(name, action.phases)
    related: tuple[Related, ...] = ()
    if best is not None:
        place = scope.blueprint.span(f"{action.phases[best].pointer}/name")
        related = (Related(span=place, message=f'"{best}" is declared here'),)
    return Diagnostic(
        code="KB310",
        message=f'{use.site.owner} reads {use.read.data} of the unknown phase "{name}"',
        span=scope.part(use, 1),
        hint=suggest.hint(name, action.phases, kind="phase"),
        related=related,
    )


def _output(scope: scopes.Scope, phase: blueprints.Phase, use: scopes.Use, at: int) -> Iterator[Diagnostic]:
    """Report an output that a phase does not have; its name stands at a place of the path."""
    spec = scope.registry.find(phase.function)
    path = use.read.reference.path
    if spec is None or len(path) <= at:
        return
    known, name = [*function.outputs_of(spec), *phase.outputs], str(path[at])
    if name in known:
        return
    if spec.dynamic_outputs:
        hint = f'declare it in phase "{phase.name}" under `outputs`'
        best = suggest.closest(name, known)
        hint = f'did you mean "{best}"?' if best else hint
    else:
        hint = suggest.hint(name, known) if known else f"{phase.function} has no outputs"
    yield Diagnostic(
        code="KB312",
        message=f'phase "{phase.name}" ({phase.function}) has no output "{name}"',
        span=scope.part(use, at),
        hint=hint,
        related=(Related(span=scope.blueprint.span(f"{phase.pointer}/name"), message="the phase is declared here"),),
    )


def _order(scope: scopes.Scope, action: scopes.ActionScope, use: scopes.Use, name: str) -> Iterator[Diagnostic]:
    """Report what is read before, or without, the phase having succeeded; the rest is a matter of the graph."""
    guarded = use.read.reference.guarded
    is_own = use.site.is_of(name)
    if use.site.where in (Where.PHASE, Where.CONDITION) and is_own:
        yield _early(scope, use, f"{use.site.owner} reads its own outputs", "read another phase or an input")
    elif use.site.where is Where.CLEANUP and is_own and not guarded:
        message = f"{use.site.owner} reads outputs that are missing when the phase failed"
        yield _early(scope, use, message, "add a filter: {{ … | default(…) }}, or use `revert`")
    elif use.site.phase is not None and use.site.phase is action.action.defer and not guarded:
        message = f'{use.site.owner} reads outputs of phase "{name}", which may have failed by then'
        yield _early(scope, use, message, "add a filter: {{ … | default(…) }}", Severity.WARNING)


def _declared(scope: scopes.Scope, phase: blueprints.Phase) -> Iterator[Diagnostic]:
    spec = scope.registry.find(phase.function)
    if spec is None or spec.dynamic_outputs:
        return
    known = function.outputs_of(spec)
    for name, declared in phase.outputs.items():
        if name not in known:
            yield Diagnostic(
                code="KB312",
                message=f'{phase.function} has no output "{name}"',
                span=scope.blueprint.span(declared.pointer, key=True),
                hint=suggest.hint(name, known) if known else f"{phase.function} has no outputs",
            )


def _early(
    scope: scopes.Scope, use: scopes.Use, message: str, hint: str, severity: Severity = Severity.ERROR
) -> Diagnostic:
    return Diagnostic(code="KB311", message=message, span=scope.part(use, -1), hint=hint, severity=severity)


def _odd(scope: scopes.Scope, use: scopes.Use, part: int, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code="KB315", message=message, span=scope.part(use, part), hint=hint)
