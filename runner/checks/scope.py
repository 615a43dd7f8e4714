"""What a rule looks at: the blueprint, the functions that exist, and everything that its templates read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import Protocol

import msgspec
from msgspec import structs

from runner.base import span as spans
from runner.base.diagnostic import Diagnostic
from runner.base.jsonvalue import JsonValue
from runner.base.span import Span
from runner.model import blueprint as blueprints
from runner.plan import edges
from runner.registry import registry as registries
from runner.templates import render, template

# What only an instance of a `foreach` can read.
INSTANCE_ROOTS = frozenset({"item", "key", "index"})


class Where(Enum):
    """What part of an action a template stands in."""

    PHASE = auto()
    CONDITION = auto()
    REVERT = auto()
    CLEANUP = auto()
    DEFER = auto()
    ARTIFACT = auto()
    GROUP = auto()


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Values that may hold templates, or bare expressions, and the place where they stand.

    Attributes:
        expressions: Bare expressions, each with its pointer.
        texts: Every expression and every template, parsed, each with its pointer.
        roots: What may be read here besides the roots of every site: `item`, `key`, `index`.
        owner: What they belong to, for messages: `phase "dump"`.
        call: The call whose arguments they are; None for an artifact.
        phase: The phase they belong to, also by its revert or cleanup; None for an artifact and a concurrency group.
    """

    where: Where
    owner: str
    pointer: str
    values: Mapping[str, JsonValue]
    phase: blueprints.Phase | None = None
    call: blueprints.Call | None = None
    expressions: tuple[tuple[str, str], ...] = ()
    roots: frozenset[str] = frozenset()
    texts: tuple[tuple[str, template.Template], ...] = ()

    def __post_init__(self) -> None:
        # Parsed once for all rules: a document may hold more templates than the parser remembers.
        structs.force_setattr(self, "texts", tuple(_texts(self)))

    def is_of(self, name: str) -> bool:
        """Tell whether this belongs to the phase of a name."""
        return self.phase is not None and self.phase.name == name


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One reference, and the site that makes it."""

    site: Site
    read: edges.Read


class ActionScope(msgspec.Struct, frozen=True, kw_only=True):
    """One action, with its sites and references found once for all rules; at level 0 there are no references."""

    action: blueprints.Action
    phases: Mapping[str, blueprints.Phase]
    sites: tuple[Site, ...]
    uses: tuple[Use, ...]


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """A blueprint under check.

    Attributes:
        readers: What `declared.reader` has made for each site, by its identity.
    """

    blueprint: blueprints.Blueprint
    registry: registries.Registry
    actions: tuple[ActionScope, ...]
    readers: dict[int, object] = msgspec.field(default_factory=dict)

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


def _texts(site: Site) -> Iterator[tuple[str, template.Template]]:
    for text, at in site.expressions:
        # Braces around an expression are a finding of their own.
        yield at, template.parse(text) if template.is_template(text) else template.parse_bare(text)
    for at, text in render.templates_in(site.values, site.pointer):
        yield at, template.parse(text)


def _action(action: blueprints.Action, level: blueprints.Level) -> ActionScope:
    sites = tuple(_sites(action))
    own = level is blueprints.Level.OWN
    uses = tuple(Use(site=site, read=read) for site in sites if own for read in _reads(site))
    phases = {phase.name: phase for phase in reversed(action.phases)}
    return ActionScope(action=action, phases=phases, sites=sites, uses=uses)


def _reads(site: Site) -> Iterator[edges.Read]:
    for at, parsed in site.texts:
        for reference in parsed.references:
            yield edges.Read(pointer=at, reference=reference)


def _sites(action: blueprints.Action) -> Iterator[Site]:
    if action.concurrency is not None and action.concurrency.group is not None:
        yield Site(
            where=Where.GROUP,
            owner="the concurrency group",
            pointer=action.concurrency.pointer,
            values={"group": action.concurrency.group},
        )
    for phase in action.phases:
        yield from _phase_sites(phase)
    if action.defer is not None:
        yield from _conditions(action.defer, "the deferPhase")
        yield _site(Where.DEFER, "the deferPhase", action.defer, action.defer)
    for name, values in action.output_artifacts.items():
        at = action.pointer + spans.pointer(["outputArtifacts", name, "keyValue"])
        yield Site(where=Where.ARTIFACT, owner=f'the artifact "{name}"', pointer=at, values=values)


def _phase_sites(phase: blueprints.Phase) -> Iterator[Site]:
    owner = f'phase "{phase.name}"'
    yield from _conditions(phase, owner)
    yield _site(Where.PHASE, owner, phase, phase)
    if phase.revert is not None:
        yield _site(Where.REVERT, f"the revert of {owner}", phase.revert, phase)
    if phase.cleanup is not None:
        yield _site(Where.CLEANUP, f"the cleanup of {owner}", phase.cleanup, phase)


def _conditions(phase: blueprints.Phase, owner: str) -> Iterator[Site]:
    """Yield the `when` and the `foreach` of a phase."""
    for text, at in edges.expressions(phase):
        key = at.rpartition("/")[2]
        yield Site(
            where=Where.CONDITION,
            owner=f"`{key}` of {owner}" if key == "when" else f"`foreach.{key}` of {owner}",
            pointer=at,
            values={},
            phase=phase,
            expressions=((text, at),),
            roots=INSTANCE_ROOTS - {"key"} if key == "key" else frozenset(),
        )
    if phase.foreach is not None and not isinstance(phase.foreach.items, str):
        yield Site(
            where=Where.CONDITION,
            owner=f"`foreach.items` of {owner}",
            pointer=phase.foreach.pointer,
            values={"items": phase.foreach.items},
            phase=phase,
        )


def _site(where: Where, owner: str, call: blueprints.Call, phase: blueprints.Phase) -> Site:
    return Site(
        where=where,
        owner=owner,
        pointer=f"{call.pointer}/args",
        values=call.arguments,
        phase=phase,
        call=call,
        roots=frozenset() if phase.foreach is None else INSTANCE_ROOTS,
    )
