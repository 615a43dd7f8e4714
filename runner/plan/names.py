"""Findings about names that lead nowhere (actions, functions, retry policies, phases) or to two places."""

from __future__ import annotations

from collections.abc import Iterable

from runner.base import diagnostic, suggest
from runner.base.diagnostic import Diagnostic, Related
from runner.model import blueprint as blueprints
from runner.registry import registry as registries


def action(blueprint: blueprints.Blueprint, name: str) -> Diagnostic:
    """Report an action that the blueprint does not have (KB303)."""
    return Diagnostic(
        code="KB303",
        message=f'the blueprint "{blueprint.name}" has no action "{name}"',
        span=blueprint.span("/actions", key=True),
        hint=suggest.hint(name, blueprint.actions, kind="action"),
    )


def function(
    blueprint: blueprints.Blueprint, call: blueprints.Call, registry: registries.Registry
) -> Diagnostic | None:
    """Report the function of a call if it is unknown (KB501); at level 0 a warning, since not all are there yet."""
    if call.function == "" or registry.find(call.function) is not None:
        return None  # only a draft has calls without a function, and the schema has told
    is_own = blueprint.level is blueprints.Level.OWN
    return Diagnostic(
        code="KB501",
        message=f'there is no function "{call.function}"',
        span=blueprint.span(f"{call.pointer}/func"),
        severity=diagnostic.Severity.ERROR if is_own else diagnostic.Severity.WARNING,
        hint=suggest.hint(call.function, registry.functions, kind="function"),
    )


def policy(blueprint: blueprints.Blueprint, call: blueprints.Call) -> Diagnostic | None:
    """Report the retry policy that a call names if it is unknown (KB321)."""
    if not isinstance(call.retry, str) or call.retry in blueprint.retry_policies:
        return None
    return Diagnostic(
        code="KB321",
        message=f'there is no retry policy "{call.retry}"',
        span=blueprint.span(f"{call.pointer}/retry"),
        hint=suggest.hint(call.retry, blueprint.retry_policies, kind="retryPolicies entry"),
    )


def duplicates(blueprint: blueprints.Blueprint, action: blueprints.Action) -> Iterable[Diagnostic]:
    """Report phases of an action that have the name of an earlier one (KB301)."""
    first: dict[str, blueprints.Phase] = {}
    for phase in (*action.phases, *([action.defer] if action.defer else [])):
        earlier = first.setdefault(phase.name, phase)
        if earlier is not phase:
            yield Diagnostic(
                code="KB301",
                message=f'action "{action.name}" has two phases "{phase.name}"',
                span=blueprint.span(f"{phase.pointer}/name"),
                hint="give one of them another name",
                related=(Related(span=blueprint.span(f"{earlier.pointer}/name"), message="the first one is here"),),
            )


def needs(blueprint: blueprints.Blueprint, action: blueprints.Action) -> Iterable[Diagnostic]:
    """Report what the phases of an action need but the action does not have (KB310)."""
    names = {phase.name for phase in action.phases}
    deferred = action.defer.name if action.defer else None
    for phase in action.phases:
        for index, name in enumerate(phase.needs or ()):
            if name not in names:
                hint = "the deferPhase runs last" if name == deferred else suggest.hint(name, names, kind="phase")
                yield Diagnostic(
                    code="KB310",
                    message=f'phase "{phase.name}" needs the unknown phase "{name}"',
                    span=blueprint.span(f"{phase.pointer}/needs/{index}"),
                    hint=hint,
                )
