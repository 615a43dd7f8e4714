"""What is stopped is started again: a phase that quiesces has a counterpart (KB340)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic, Severity
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.registry import function

_STOPS = frozenset({"quiesce", "freeze", "pause", "stop", "suspend", "lock"})
_STARTS = frozenset(
    {"unquiesce", "unfreeze", "thaw", "unpause", "resume", "continue", "start", "restart", "unlock", "release"}
)
_FIRST_WORD = re.compile(r"[A-Za-z][a-z]*")


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report phases that, by their name, stop something which nothing starts again.

    An action whose own name says that it stops something leaves the rest to another action.
    """
    if scope.blueprint.level is blueprints.Level.KANISTER:
        return
    for each in scope.actions:
        if _word(each.action.name) in _STOPS:
            continue
        is_started = each.action.defer is not None and _word(each.action.defer.name) in _STARTS
        for phase in reversed(each.action.phases):
            is_started = is_started or _word(phase.name) in _STARTS
            if not is_started and _word(phase.name) in _STOPS and not _is_undone(scope, phase):
                yield Diagnostic(
                    code="KB340",
                    message=f'nothing ends what phase "{phase.name}" begins',
                    span=scope.blueprint.span(f"{phase.pointer}/name"),
                    severity=Severity.WARNING,
                    hint="give it a `cleanup` that does, which runs also after a failure",
                )


def _is_undone(scope: scopes.Scope, phase: blueprints.Phase) -> bool:
    """Tell whether there is nothing to start again: the phase has an undo, or its function only looks or waits."""
    spec = scope.registry.find(phase.function)
    only_reads = spec is not None and spec.effects is function.Effects.READS
    return only_reads or phase.cleanup is not None or phase.revert is not None


def _word(name: str) -> str:
    """Return the first word of a name: `stop` of `stop_database` and `stopDatabase`."""
    found = _FIRST_WORD.match(name)
    return found[0].lower() if found else ""
