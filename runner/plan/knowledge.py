"""What templates can read before a run has started: values where they are known, otherwise what they wait for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

import msgspec

from runner.templates import evaluate, references


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is known only later: what templates call it, and what has to happen first (`dump` `has ended`)."""

    path: str
    subject: str
    event: str

    @property
    def when(self) -> str:
        """When it is known: `dump has ended`."""
        return f"{self.subject} {self.event}"


class NotYet(Exception):
    """A template has looked at something that is known only later."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.when)
        self.source = source


class Later(Mapping[str, object]):
    """Stands in the roots for a value that is known only later; whoever looks at it gets `NotYet`.

    It may be passed on: a filter `default` or a condition that never reads it does not have to wait for it.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    def _wait(self, *_: object) -> NoReturn:
        raise NotYet(self.source)

    __getitem__ = __contains__ = __iter__ = __len__ = __eq__ = _wait

    def __hash__(self) -> int:
        return hash(self.source)


ITEM = Later(Source(path="item", subject="its item", event="is known"))
_ROOTS = (
    Source(path="artifactsIn", subject="a restore point", event="is chosen"),
    Source(path="object", subject="the object", event="is named"),
    Source(path="profile", subject="the location", event="is chosen"),
    Source(path="time", subject="the run", event="has started"),
    Source(path="run", subject="the run", event="has started"),
)


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the world before a run.

    Attributes:
        inputs: Values of the inputs that have one; secrets as `Secret`.
        missing: Required inputs for which no value was given yet.
        phases: What of phases is known, as templates read it: name to `outputs` or `each`.
        roots: Further roots that are known: `artifactsIn`, `object`, `profile`, `time`, `run`, …
    """

    inputs: Mapping[str, object] = msgspec.field(default_factory=dict)
    missing: tuple[str, ...] = ()
    phases: Mapping[str, object] = msgspec.field(default_factory=dict)
    roots: Mapping[str, object] = msgspec.field(default_factory=dict)


def ended(phase: str) -> Later:
    """Return what stands for the data of a phase, or of an instance, until it has ended."""
    return Later(Source(path=f"phases.{phase}", subject=phase, event="has ended"))


def phases(known: Knowledge, names: Iterable[str]) -> dict[str, object]:
    """Return the data of phases by name, as far as it is known."""
    return {**{name: ended(name) for name in names}, **known.phases}


def roots(known: Knowledge, phases: Mapping[str, object]) -> dict[str, object]:
    """Return the template roots with some data of phases; what becomes of that later is seen in the roots as well."""
    missing = {
        name: Later(Source(path=f"inputs.{name}", subject=f"the input {name}", event="is given"))
        for name in known.missing
    }
    return {
        **{source.path: Later(source) for source in _ROOTS},
        **known.roots,
        "inputs": {**known.inputs, **missing},
        "phases": phases,
    }


def look_at(value: object) -> None:
    """Look at every part of a value.

    Raises:
        NotYet: If one of them is known only later.
    """
    evaluate.secrets_in(value)


def sources(read: references.Reference, roots: Mapping[str, object]) -> Iterator[Source]:
    """Yield what a reference has to wait for."""
    found: object = roots
    for part in read.path:
        if isinstance(found, Later) or not isinstance(found, Mapping):
            break
        found = found.get(part)
    yield from _waiting(found)


def _waiting(value: object) -> Iterator[Source]:
    if isinstance(value, Later):
        yield value.source
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _waiting(item)
