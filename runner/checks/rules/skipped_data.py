"""What is read of a phase that may be skipped, or whose failure is tolerated, has a default (KB316)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.diagnostic import Diagnostic, Related, Severity
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.templates import conditions, template

# Path of the outputs of one instance: phases.NAME.each.KEY.outputs
_INSTANCE_OUTPUTS = 5


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report reads that fail when the phase was skipped or has failed."""
    for each in scope.actions:
        for use in each.uses:
            phase = each.phases.get(use.read.phase or "")
            if phase is None or use.read.reference.guarded or use.site.phase in (phase, each.action.defer):
                continue
            if _may_be_skipped(phase) and not _is_under(use.site, phase.when or ""):
                yield _finding(scope, use, phase, "when", "may be skipped")
            elif phase.tolerate and _needs_success(use, phase):
                yield _finding(scope, use, phase, "onError", "may fail without ending the run")


def _may_be_skipped(phase: blueprints.Phase) -> bool:
    """Tell whether a phase has a condition; one that cannot be parsed is a finding of another rule."""
    return phase.when is not None and not template.parse_bare(phase.when).problems


def _is_under(site: scopes.Site, condition: str) -> bool:
    """Tell whether a site is only reached where a condition holds."""
    if site.phase is None or site.phase.when is None or site.pointer == f"{site.phase.pointer}/when":
        return False
    return conditions.implies(site.phase.when, condition)


def _needs_success(use: scopes.Use, phase: blueprints.Phase) -> bool:
    """Tell whether a failure leaves nothing to read; of a foreach, `each` says how every instance has ended."""
    return phase.foreach is None or len(use.read.reference.path) >= _INSTANCE_OUTPUTS


def _finding(scope: scopes.Scope, use: scopes.Use, phase: blueprints.Phase, key: str, how: str) -> Diagnostic:
    hint = "add a filter: default(…)"
    if key == "when" and use.site.phase is not None and not conditions.is_never(phase.when or ""):
        hint += f", or give the reader the same `when`: {phase.when}"
    return Diagnostic(
        code="KB316",
        message=f'{use.site.owner} reads {use.read.data} of phase "{phase.name}", which {how}',
        span=scope.part(use, -1),
        severity=Severity.WARNING,
        hint=hint,
        related=(Related(span=scope.blueprint.span(f"{phase.pointer}/{key}", key=True), message="this is why"),),
    )
