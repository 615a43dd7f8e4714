"""Run all rules over a blueprint."""

from __future__ import annotations

from runner.base import diagnostic
from runner.base.diagnostic import Diagnostic
from runner.checks import doubts
from runner.checks import scope as scopes
from runner.checks.rules import (
    arguments,
    conditions,
    expressions,
    functions,
    graph,
    inputs,
    limits,
    names,
    pauses,
    phase_references,
    quiescing,
    references,
    requirements,
    retries,
    retry_errors,
    secrets,
    shell_text,
    skipped_data,
    templates,
    timeouts,
    types,
    unreachable,
    unused_inputs,
)
from runner.model import blueprint as blueprints
from runner.model import draft as drafts
from runner.registry import registry as registries

RULES: tuple[scopes.Rule, ...] = (
    names.check,
    functions.check,
    graph.check,
    templates.check,
    expressions.check,
    references.check,
    phase_references.check,
    types.check,
    conditions.check,
    arguments.check,
    inputs.check,
    retries.check,
    retry_errors.check,
    secrets.check,
    requirements.check,
    unused_inputs.check,
    skipped_data.check,
    unreachable.check,
    timeouts.check,
    pauses.check,
    limits.check,
    quiescing.check,
    shell_text.check,
)


def check(blueprint: blueprints.Blueprint, registry: registries.Registry) -> list[Diagnostic]:
    """Return everything that is wrong with a blueprint whose shape is right, in the order of the document.

    Kanister documents are checked for what does not depend on their template language.
    """
    scope = scopes.build(blueprint, registry)
    return diagnostic.in_order(found for rule in RULES for found in rule(scope))


def check_draft(draft: drafts.Draft, registry: registries.Registry) -> list[Diagnostic]:
    """Return what is surely wrong with a draft, in the order of the document."""
    return [found for found in check(draft.blueprint, registry) if doubts.is_sure(draft, found)]
