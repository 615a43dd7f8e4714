"""Every phase can run (KB322)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic, Related, Severity
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.templates import conditions

Where = scopes.Where


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report phases whose condition is always false, and phases that live on the data of such phases alone."""
    for each in scope.actions:
        off = [phase for phase in each.action.phases if _is_off(phase)]
        for phase in off:
            yield _always_skipped(scope, phase, f'phase "{phase.name}"')
        if each.action.defer is not None and _is_off(each.action.defer):
            yield _always_skipped(scope, each.action.defer, "the deferPhase")
        for name, source in _starving(each, off) if off else ():
            yield _starved(scope, each.phases[name], each.phases[source])


def _is_off(phase: blueprints.Phase) -> bool:
    return phase.when is not None and conditions.is_never(phase.when)


def _starving(action: scopes.ActionScope, off: list[blueprints.Phase]) -> Iterator[tuple[str, str]]:
    """Yield each phase that reads only of phases that never run, with the last of these."""
    readers: dict[str, list[str]] = {}
    left: Counter[str] = Counter()
    for reader, source in dict.fromkeys(_needed(action)):
        readers.setdefault(source, []).append(reader)
        left[reader] += 1
    dead = [phase.name for phase in off]
    known = set(dead)
    for source in dead:
        for reader in readers.get(source, ()):
            left[reader] -= 1
            if not left[reader] and reader not in known:
                known.add(reader)
                dead.append(reader)
                yield reader, source


def _needed(action: scopes.ActionScope) -> Iterator[tuple[str, str]]:
    """Yield phases with the phases whose data they cannot do without."""
    for use in action.uses:
        source, reader = use.read.phase, use.site.phase
        is_needed = use.site.where in (Where.PHASE, Where.CONDITION) and not use.read.reference.guarded
        if source is not None and reader is not None and reader.name in action.phases and is_needed:
            yield reader.name, source


def _always_skipped(scope: scopes.Scope, phase: blueprints.Phase, owner: str) -> Diagnostic:
    return Diagnostic(
        code="KB322",
        message=f"{owner} never runs: its condition is always false",
        span=scope.blueprint.span(f"{phase.pointer}/when"),
        severity=Severity.WARNING,
        hint="read something in it that changes, such as an input, or remove the phase",
    )


def _starved(scope: scopes.Scope, phase: blueprints.Phase, source: blueprints.Phase) -> Diagnostic:
    return Diagnostic(
        code="KB322",
        message=f'phase "{phase.name}" can never run: all that it reads comes from phases that never run',
        span=scope.blueprint.span(f"{phase.pointer}/name"),
        severity=Severity.WARNING,
        hint="remove it together with them, or let it read something else",
        related=(Related(span=scope.blueprint.span(f"{source.pointer}/name"), message=f'"{source.name}" never runs'),),
    )
