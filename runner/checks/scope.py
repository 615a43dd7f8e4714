"""What a rule looks at: the blueprint, the functions that exist, and everything that its templates read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from runner.base.diagnostic import Diagnostic
from runner.base.jsonvalue import JsonValue
from runner.base.span import Span, pointer
from runner.model import blueprint as blueprints
from runner.plan import edges
from runner.registry import registry as registries


class Where(Enum):
    """What part of an action a template stands in."""

    PHASE = auto()
    REVERT = auto()
    CLEANUP = auto()
    DEFER = auto()
    ARTIFACT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Values that may hold templates, and the place where they stand.

    Attributes:
        owner: What they belong to, for messages: `phase "dump"`.
        call: The call whose arguments they are; None for an artifact.
        phase: The name of the phase they belong to, also by its revert or cleanup; empty for an artifact.
    """

    where: Where
    owner: str
    pointer: str
    values: Mapping[str, JsonValue]
    phase: str = ""
    call: blueprints.Call | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One reference, and the site that makes it."""

    site: Site
    read: edges.Read


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionScope:
    """One action, with its sites and references found once for all rules; at level 0 there are no references."""

    action: blueprints.Action
    phases: Mapping[str, blueprints.Phase]
    sites: tuple[Site, ...]
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A blueprint under check."""

    blueprint: blueprints.Blueprint
    registry: registries.Registry
    actions: tuple[ActionScope, ...]

    def part(self, use: Use, index: int) -> Span:
        """Return the place of one part of a reference, or of all of it if the index is negative."""
        places = use.read.reference.places
        if index < 0:
            return self.blueprint.part_span(use.read.pointer, places[0][0], sum(places[-1]))
        start, length = places[min(index, len(places) - 1)]
        return self.blueprint.part_span(use.read.pointer, start, start + length)


class Rule(Protocol):
    """One kind of check: returns its findings, and raises for no blueprint."""

    def __call__(self, scope: Scope) -> Iterable[Diagnostic]:
        """Return what is wrong."""


def build(blueprint: blueprints.Blueprint, registry: registries.Registry) -> Scope:
    """Prepare a blueprint for the rules."""
    return Scope(
        blueprint=blueprint,
        registry=registry,
        actions=tuple(_action(action, blueprint.level) for action in blueprint.actions.values()),
    )


def _action(action: blueprints.Action, level: blueprints.Level) -> ActionScope:
    sites = tuple(_sites(action))
    own = level is blueprints.Level.OWN
    uses = tuple(Use(site=site, read=read) for site in sites if own for read in edges.reads(site.values, site.pointer))
    phases = {phase.name: phase for phase in reversed(action.phases)}
    return ActionScope(action=action, phases=phases, sites=sites, uses=uses)


def _sites(action: blueprints.Action) -> Iterator[Site]:
    for phase in action.phases:
        yield _site(Where.PHASE, f'phase "{phase.name}"', phase, phase.name)
        if phase.revert is not None:
            yield _site(Where.REVERT, f'the revert of phase "{phase.name}"', phase.revert, phase.name)
        if phase.cleanup is not None:
            yield _site(Where.CLEANUP, f'the cleanup of phase "{phase.name}"', phase.cleanup, phase.name)
    if action.defer is not None:
        yield _site(Where.DEFER, "the deferPhase", action.defer, action.defer.name)
    for name, values in action.output_artifacts.items():
        at = action.pointer + pointer(["outputArtifacts", name, "keyValue"])
        yield Site(where=Where.ARTIFACT, owner=f'the artifact "{name}"', pointer=at, values=values)


def _site(where: Where, owner: str, call: blueprints.Call, phase: str) -> Site:
    return Site(where=where, owner=owner, pointer=f"{call.pointer}/args", values=call.arguments, phase=phase, call=call)
