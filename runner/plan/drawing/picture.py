"""What a picture of a plan shows, before anything has a place: boxes, links between them, and words around."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """Why a link is there."""

    ORDER = "order"
    NEEDS = "needs"
    DATA = "data"
    LAST = "last"


class Tone(StrEnum):
    """How loud a badge is."""

    PLAIN = "plain"
    CHOICE = "choice"
    MANY = "many"
    RISK = "risk"
    WRONG = "wrong"


class Badge(msgspec.Struct, frozen=True, kw_only=True):
    """A word or two about a phase; `hint` says more."""

    text: str
    tone: Tone = Tone.PLAIN
    hint: str = ""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One state, as a colour and a sign: `status` is a phase status of `schemas/run-result.schema.json`."""

    status: str
    hint: str = ""


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """What takes a phase back: its key in the language (`revert`, `cleanup`), its function, and its state in a run."""

    key: str
    function: str
    mark: Mark | None = None


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """One phase.

    Attributes:
        id: Unique in the picture.
        step: The number of its layer, from 1; what it waits for has smaller ones.
        hint: What a reader learns who points at it.
        facts: Lines below the function: times, attempts, errors.
        exports: Whether it puts data into the repository.
        many: Whether it stands for any number of instances.
        faint: Whether it does not run.
        mark: Its state in a run.
        instances: The states of its instances in a run.
    """

    id: str
    title: str
    subtitle: str
    step: int
    hint: str = ""
    badges: tuple[Badge, ...] = ()
    undo: tuple[Undo, ...] = ()
    facts: tuple[str, ...] = ()
    exports: bool = False
    many: bool = False
    faint: bool = False
    mark: Mark | None = None
    instances: tuple[Mark, ...] = ()


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The box `target` waits for the box `source`; `hint` says why, `label` what is read."""

    source: str
    target: str
    kind: Kind
    hint: str = ""
    label: str = ""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A whole picture.

    Attributes:
        description: All of it in a sentence, for those who cannot see it.
        boxes: Each after what it waits for.
        steps: What each layer is called.
        mark: The state of a run.
        notes: Lines below the picture.
    """

    title: str
    subtitle: str
    description: str
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    steps: tuple[str, ...]
    notes: tuple[str, ...] = ()
    mark: Mark | None = None
