"""A blueprint as it was written, typed: actions, phases, inputs; nothing is resolved or planned yet.

Every part keeps its JSON Pointer, from which the place in the file is found again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import IntEnum

import msgspec

from runner.base import span as spans
from runner.base.jsonvalue import JsonValue
from runner.document import nodes, source


class Level(IntEnum):
    """Which language a blueprint is written in: Kanister's, or ours with the added keys."""

    KANISTER = 0
    OWN = 1


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A typed parameter of an action.

    Attributes:
        type: One of `string integer number boolean array object path`.
        default: The value when none is given; meaningless unless `has_default`.
        enum: The values allowed; empty when any is.
        pattern: A regular expression that the whole text must match.
    """

    name: str
    type: str
    default: JsonValue
    has_default: bool
    required: bool
    enum: tuple[JsonValue, ...]
    pattern: str | None
    secret: bool
    description: str
    pointer: str


class OutputDeclaration(msgspec.Struct, frozen=True, kw_only=True):
    """An output that a phase declares because its function cannot know it."""

    name: str
    type: str
    secret: bool
    description: str
    pointer: str


class RetrySpec(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts after the first, as written; None where the document leaves the choice to the runner.

    Attributes:
        limit: How many further attempts.
        errors: Which failures are tried again: `transient`, `timeout`, or error codes.
        initial: Pause before the second attempt; multiplied by `factor` each time, up to `maximum`.
        jitter: Each pause is varied by up to this fraction either way.
    """

    limit: int
    errors: tuple[str, ...] | None
    initial: timedelta | None
    factor: float | None
    maximum: timedelta | None
    jitter: float | None


class Foreach(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of a phase for each item.

    Attributes:
        items: A bare expression, or the list itself, whose texts may be templates.
        key: A bare expression for the key of an item; None leaves the choice to the runner.
        max_parallel: How many instances may run at once; None for no limit of its own.
        fail_fast: Whether the failure of one instance interrupts its siblings.
    """

    items: str | Sequence[JsonValue]
    key: str | None
    max_parallel: int | None
    fail_fast: bool
    pointer: str


class Concurrency(msgspec.Struct, frozen=True, kw_only=True):
    """What may run at the same time.

    Attributes:
        group: Name of the group, which may be a template; None for no group.
        queue: Whether a run waits while another one has the group; otherwise it ends at once.
        max_parallel: How many attempts of the run may be under way at once; None for the usual number.
    """

    group: str | None
    queue: bool
    max_parallel: int | None
    pointer: str


class Requires(msgspec.Struct, frozen=True, kw_only=True):
    """What a blueprint needs of the runner: functions, capabilities of drivers, a version (`>=0.1`)."""

    functions: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    runner: str = ""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A function with its arguments as written; texts in them may be templates."""

    function: str
    arguments: Mapping[str, JsonValue]
    pointer: str
    timeout: timedelta | None
    retry: RetrySpec | str | None
    description: str


class Undo(Call, frozen=True, kw_only=True):
    """The `revert` or `cleanup` of a phase."""


class Phase(Call, frozen=True, kw_only=True):
    """One step of an action.

    Attributes:
        needs: Phases that it waits for; None means all above it.
        retry: A retry of its own, the name of a policy, or None for the default of the function.
        when: A bare expression; the phase is skipped where it is false. None for always.
        tolerate: Whether the action goes on when the phase has failed (`onError: continue`).
        objects: Kubernetes objects by alias, as written; level 0 only.
    """

    name: str
    needs: tuple[str, ...] | None
    revert: Undo | None
    cleanup: Undo | None
    outputs: Mapping[str, OutputDeclaration]
    when: str | None = None
    foreach: Foreach | None = None
    tolerate: bool = False
    objects: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """A named entry point of a blueprint.

    Attributes:
        kind: The kind of object it is for, if it says so.
        phases: In the order of the document.
        defer: The phase that runs last, whatever happened; named `defer` when it has no name of its own.
        output_artifacts: Name to key to template.
        timeout: Limit of the action without unwinding.
    """

    name: str
    pointer: str
    kind: str | None
    inputs: Mapping[str, Input]
    phases: tuple[Phase, ...]
    defer: Phase | None
    output_artifacts: Mapping[str, Mapping[str, JsonValue]]
    input_artifact_names: tuple[str, ...]
    secret_names: tuple[str, ...]
    config_map_names: tuple[str, ...]
    timeout: timedelta | None
    concurrency: Concurrency | None
    description: str


class Blueprint(msgspec.Struct, frozen=True, kw_only=True):
    """A whole blueprint, with the text and the nodes that it came from."""

    level: Level
    api_version: str
    name: str
    description: str
    actions: Mapping[str, Action]
    retry_policies: Mapping[str, RetrySpec]
    requires: Requires
    text: str
    file: str
    root: nodes.MapNode

    def span(self, pointer: str, *, key: bool = False) -> spans.Span:
        """Return the place of a value (or of its key), or of the nearest ancestor that exists."""
        return nodes.nearest(self.root, pointer, key=key).span

    def part_span(self, pointer: str, start: int, end: int) -> spans.Span:
        """Return the place of the characters `start` to `end` of a text value, such as one name in a template.

        Falls back to the place of the whole value where characters and text do not correspond.
        """
        node = nodes.nearest(self.root, pointer)
        if not isinstance(node, nodes.ScalarNode) or node.span.pointer != pointer:
            return node.span
        return source.of(self.file, self.text).part(node, start, end)
