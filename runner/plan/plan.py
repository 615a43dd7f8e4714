"""The plan: immutable data made from one action and its inputs; it is printed, journalled and executed as it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum

import msgspec

from runner.base.jsonvalue import JsonValue


class NodeKind(StrEnum):
    """What a node of the plan is."""

    PHASE = "phase"
    REVERT = "revert"
    CLEANUP = "cleanup"
    DEFER = "defer"


class Why(StrEnum):
    """Why one node waits for another."""

    ORDER = "order"
    NEEDS = "needs"
    DATA = "data"


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """The node waits for `source`; `detail` says what is read, for a data edge (`outputs.path`)."""

    source: str
    why: Why
    detail: str = ""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts after the first.

    Attributes:
        limit: How many further attempts.
        errors: Which failures are tried again: `transient`, `timeout`, or error codes.
        initial: Pause before the second attempt; multiplied by `factor` each time, up to `maximum`.
        jitter: Each pause is varied by up to this fraction either way.
    """

    limit: int = 0
    errors: tuple[str, ...] = ("transient",)
    initial: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    maximum: timedelta = timedelta(minutes=2)
    jitter: float = 0.2

    def pause(self, retries: int) -> float:
        """Return the seconds between one attempt and the next, without the jitter, after some retries."""
        # The largest power that a float can hold is far beyond any pause.
        power = retries if self.factor <= 1 else min(retries, int(700 / math.log(self.factor)))
        return min(self.initial.total_seconds() * self.factor**power, self.maximum.total_seconds())


class Foreach(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of a node for each item.

    Attributes:
        items: A bare expression, or the list itself, whose texts may be templates.
        key: A bare expression for the key of an item; empty leaves the choice to the runner.
        max_parallel: How many instances may run at once; None for no limit of its own.
        fail_fast: Whether the failure of one instance interrupts its siblings.
    """

    items: str | Sequence[JsonValue]
    key: str = ""
    max_parallel: int | None = None
    fail_fast: bool = False


class Concurrency(msgspec.Struct, frozen=True, kw_only=True):
    """What may run at the same time.

    Attributes:
        group: Name of the group, of whose runs one goes on at a time; may be a template, empty for no group.
        queue: Whether a run waits for its turn; otherwise it is refused.
        max_parallel: How many attempts of the run may be under way at once.
    """

    group: str = ""
    queue: bool = True
    max_parallel: int = 8


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """A declared output of a phase."""

    type: str = "string"
    secret: bool = False
    description: str = ""


class PlanNode(msgspec.Struct, frozen=True, kw_only=True):
    """One function call of the plan.

    Attributes:
        id: `NAME` for a phase, `NAME/KEY` for an instance of it, `revert/…` and `cleanup/…` of either, `defer`; unique.
        key: The key of an instance of a `foreach`, else an empty text.
        function: Name of the registered function.
        arguments: The arguments as written; texts may be templates.
        pointer: JSON Pointer of the phase in the blueprint, from which error positions are found again.
        edges: What it waits for; empty for reverts, cleanups and defer, which the unwind starts.
        when: A bare expression; the node is skipped where it is false. Empty for always.
        foreach: The items for each of which it has an instance; the node itself then calls nothing.
        tolerate: Whether the action goes on when it has failed.
        timeout: Limit of one attempt.
        outputs: Outputs that the phase itself declares, by name.
        exports: Whether its outputs are those of an export.
        reads: Whether the function only reads, so that its start need not be durable.
        idempotent: Whether it may simply run again when a crash leaves it in doubt.
        has_find: Whether the function can look for what an earlier attempt created.
    """

    id: str
    kind: NodeKind
    name: str
    function: str
    arguments: Mapping[str, JsonValue]
    pointer: str
    key: str = ""
    edges: tuple[Edge, ...] = ()
    when: str = ""
    foreach: Foreach | None = None
    tolerate: bool = False
    timeout: timedelta | None = None
    retry: Retry = msgspec.field(default_factory=Retry)
    outputs: Mapping[str, Output] = msgspec.field(default_factory=dict)
    exports: bool = False
    reads: bool = False
    idempotent: bool = False
    has_find: bool = False
    revert: PlanNode | None = None
    cleanup: PlanNode | None = None
    description: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One action, ready to run.

    Attributes:
        nodes: The phases, each after what it waits for, otherwise in the order of the document.
        defer: The node that runs last, whatever happened.
        artifacts: `outputArtifacts` as written: name to key to template.
        input_artifacts: Names of the artifacts that the action takes in.
        timeout: Limit of the action without unwinding.
        concurrency: What may run at the same time.
        secret_inputs: Names of the inputs that are secret.
    """

    blueprint: str
    action: str
    file: str
    nodes: tuple[PlanNode, ...]
    defer: PlanNode | None = None
    artifacts: Mapping[str, Mapping[str, JsonValue]] = msgspec.field(default_factory=dict)
    input_artifacts: tuple[str, ...] = ()
    timeout: timedelta | None = None
    concurrency: Concurrency = msgspec.field(default_factory=Concurrency)
    secret_inputs: tuple[str, ...] = ()
