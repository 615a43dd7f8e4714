"""What each phase of an action waits for, and why: the order of the document, `needs`, and what it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from runner.base import span as spans
from runner.base.jsonvalue import JsonValue
from runner.model import blueprint as blueprints
from runner.plan import plan
from runner.templates import expression, references, render, template


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A reference in a template of the document; `pointer` leads to the text that holds it."""

    pointer: str
    reference: references.Reference

    @property
    def phase(self) -> str | None:
        """The phase whose data is read, if it is a phase's."""
        path = self.reference.path
        return str(path[1]) if path[0] == "phases" and len(path) > 1 else None

    @property
    def data(self) -> str:
        """What of the phase is read, such as `outputs.path`."""
        path = self.reference.path[2:]
        return references.spell(path) if path else "everything"


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """One edge with the place in the document that causes it.

    Attributes:
        phase: The phase that waits.
        read: The reference, for a data edge.
        pointer: Where the reason stands: the reference's text, the item of `needs`, or the phase itself.
    """

    phase: str
    edge: plan.Edge
    pointer: str
    read: Read | None = None


def reads(arguments: Mapping[str, JsonValue], pointer: str) -> Iterator[Read]:
    """Yield every reference in the templates of a nested value that stands at `pointer`."""
    for where, text in render.templates_in(arguments, pointer):
        for reference in template.parse(text).references:
            yield Read(pointer=where, reference=reference)


def expression_reads(text: str, pointer: str) -> Iterator[Read]:
    """Yield every reference in a bare expression that stands at `pointer`."""
    for reference in expression.parse(text).references:
        yield Read(pointer=pointer, reference=reference)


def expressions(phase: blueprints.Phase) -> Iterator[tuple[str, str]]:
    """Yield the bare expressions of a phase, each with its pointer."""
    if phase.when is not None:
        yield phase.when, f"{phase.pointer}/when"
    if phase.foreach is not None and isinstance(phase.foreach.items, str):
        yield phase.foreach.items, f"{phase.foreach.pointer}/items"
    if phase.foreach is not None and phase.foreach.key is not None:
        yield phase.foreach.key, f"{phase.foreach.pointer}/key"


def phase_reads(phase: blueprints.Phase) -> Iterator[Read]:
    """Yield what a phase, its expressions, its revert and its cleanup read: all must be there before it starts."""
    for text, pointer in expressions(phase):
        yield from expression_reads(text, pointer)
    if phase.foreach is not None and not isinstance(phase.foreach.items, str):
        yield from reads({"items": phase.foreach.items}, phase.foreach.pointer)
    for call in (phase, phase.revert, phase.cleanup):
        if call is not None:
            yield from reads(call.arguments, f"{call.pointer}/args")


def waits(action: blueprints.Action, level: blueprints.Level) -> dict[str, list[Wait]]:
    """Return the edges of every phase, in the order of the document.

    A phase without `needs` waits for the phases above that no other phase above waits for, so that the number of edges
    grows with the number of phases and not with its square. Names that lead nowhere give no edge.
    """
    known = {phase.name for phase in action.phases}
    found: dict[str, list[Wait]] = {}
    awaited: set[str] = set()
    sinks: dict[str, None] = {}
    for phase in action.phases:
        if phase.name in found:
            continue
        own = _order(phase, sinks) if phase.needs is None else _needs(phase, phase.needs, known)
        if level is blueprints.Level.OWN:
            own |= _data(phase, known)
        found[phase.name] = list(own.values())
        # What only an undo reads of a later phase is an error; it must not hide edges that are there without it.
        awaited.update(source for source, wait in own.items() if source in (phase.needs or ()) or not _is_undo(wait))
        for source in own:
            sinks.pop(source, None)
        if phase.needs is None or phase.name not in awaited:
            sinks[phase.name] = None
    return found


def _is_undo(wait: Wait) -> bool:
    """Tell whether the revert or the cleanup of a phase is what reads."""
    parts = spans.split_pointer(wait.pointer)
    return wait.read is not None and len(parts) > 4 and parts[4] in ("revert", "cleanup")


def _order(phase: blueprints.Phase, sinks: Mapping[str, None]) -> dict[str, Wait]:
    return {
        source: Wait(phase=phase.name, edge=plan.Edge(source=source, why=plan.Why.ORDER), pointer=phase.pointer)
        for source in sinks
    }


def _needs(phase: blueprints.Phase, needs: tuple[str, ...], known: set[str]) -> dict[str, Wait]:
    return {
        source: Wait(
            phase=phase.name,
            edge=plan.Edge(source=source, why=plan.Why.NEEDS),
            pointer=phase.pointer + spans.pointer(["needs", index]),
        )
        for index, source in enumerate(needs)
        if source in known
    }


def _data(phase: blueprints.Phase, known: set[str]) -> dict[str, Wait]:
    by_source: dict[str, list[Read]] = {}
    for read in phase_reads(phase):
        if read.phase is not None and read.phase in known and read.phase != phase.name:
            by_source.setdefault(read.phase, []).append(read)
    return {
        source: Wait(
            phase=phase.name,
            edge=plan.Edge(
                source=source, why=plan.Why.DATA, detail=", ".join(dict.fromkeys(read.data for read in found))
            ),
            pointer=found[0].pointer,
            read=found[0],
        )
        for source, found in by_source.items()
    }
