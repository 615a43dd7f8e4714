"""A rehearsal as it was written, typed: what the phases of an action are given, and what its run must come to.

Every part keeps its JSON Pointer, from which the place in the file is found again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from runner.base import span as spans
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.document import nodes


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The error with which an attempt fails; `kind` is what retry policies look at."""

    code: str
    message: str
    kind: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt of a phase comes to.

    Attributes:
        outputs: Outputs by name, where they are stated; those that are left out are made up.
        error: The error, where the attempt fails.
        timeout: Whether it goes on until it is asked to end.
        hangs: Whether it goes on even then.
        takes: How long it takes.
        found: What the function finds when it is asked what the attempt has created.
    """

    pointer: str = ""
    outputs: JsonObject | None = None
    error: Error | None = None
    timeout: bool = False
    hangs: bool = False
    takes: timedelta = timedelta()
    found: JsonObject | None = None


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens to a phase: `started failed succeeded waiting retrying`, at an attempt or the first time.

    Attributes:
        attempt: Number of the attempt; None for the first one to which it happens.
    """

    pointer: str
    after: str
    event: str
    attempt: int | None


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a run works with, and what becomes of its phases.

    Attributes:
        results: By node; one for each attempt, the last for all that follow.
        restore_point: What becomes of storing the restore point, likewise; empty where it is stored.
        approvals: Nodes that a person approves.
        settle: How a person settles nodes in doubt: `rerun`, `succeeded` or `failed`.
        cancel: When somebody cancels the run.
        crashes: When the runner is killed; the run is resumed each time.
    """

    object: JsonObject | None
    profile: JsonObject | None
    inputs: JsonObject
    artifacts_in: Mapping[str, JsonObject]
    results: Mapping[str, tuple[Result, ...]]
    restore_point: tuple[Result, ...]
    approvals: tuple[str, ...]
    settle: Mapping[str, str]
    time: datetime
    cancel: Moment | None
    crashes: tuple[Moment, ...]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An error or a warning that is expected; what is None may be anything, `message` is a part of it."""

    pointer: str
    phase: str | None
    code: str | None
    message: str | None


class Expect(msgspec.Struct, frozen=True, kw_only=True):
    """What a run must come to; what was not written (None, or no entry) is not compared.

    Attributes:
        sequence: All that is started, in this order.
        states: States of single nodes.
        not_run: All phases that are not run.
        skipped: All phases whose condition was false.
        arguments: Rendered arguments of single nodes.
        attempts: Numbers of attempts of single nodes.
        restore_point: The nodes whose exports the restore point holds; empty for no restore point.
    """

    sequence: tuple[str, ...] | None
    status: str | None
    states: Mapping[str, str]
    not_run: tuple[str, ...] | None
    skipped: tuple[str, ...] | None
    arguments: Mapping[str, JsonObject]
    artifacts: Mapping[str, JsonObject] | None
    warnings: tuple[Message, ...] | None
    error: Message | None
    attempts: Mapping[str, int]
    restore_point: tuple[str, ...] | None


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """A whole rehearsal, with the nodes that it came from; `blueprint` is a path relative to the file."""

    name: str
    description: str
    blueprint: str
    action: str
    given: Given
    expect: Expect
    file: str
    root: nodes.MapNode

    def span(self, pointer: str, *, key: bool = False) -> spans.Span:
        """Return the place of a value (or of its key), or of the nearest ancestor that exists."""
        return nodes.nearest(self.root, pointer, key=key).span

    def value(self, pointer: str) -> JsonValue:
        """Return what stands at a place; None where nothing does."""
        node = nodes.at(self.root, pointer)
        return None if node is None else node.plain()

    def text(self, pointer: str) -> str | None:
        """Return the text at a place; None where none stands."""
        found = self.value(pointer)
        return found if isinstance(found, str) else None
