"""The plan: immutable data made from one action and its inputs; it is printed, journalled and executed as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The node waits for `source`; `detail` says what is read, for a data edge (`outputs.path`)."""

    source: str
    why: Why
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A declared output of a phase."""

    type: str = "string"
    secret: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNode:
    """One function call of the plan.

    Attributes:
        id: `NAME` for a phase, `revert/NAME`, `cleanup/NAME`, `defer`; unique in the plan.
        function: Name of the registered function.
        arguments: The arguments as written; texts may be templates.
        pointer: JSON Pointer of the phase in the blueprint, from which error positions are found again.
        edges: What it waits for; empty for reverts, cleanups and defer, which the unwind starts.
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
    edges: tuple[Edge, ...] = ()
    timeout: timedelta | None = None
    retry: Retry = field(default_factory=Retry)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    exports: bool = False
    reads: bool = False
    idempotent: bool = False
    has_find: bool = False
    revert: PlanNode | None = None
    cleanup: PlanNode | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One action, ready to run.

    Attributes:
        nodes: The phases, each after what it waits for, otherwise in the order of the document.
        defer: The node that runs last, whatever happened.
        artifacts: `outputArtifacts` as written: name to key to template.
        input_artifacts: Names of the artifacts that the action takes in.
        timeout: Limit of the action without unwinding.
        secret_inputs: Names of the inputs that are secret.
    """

    blueprint: str
    action: str
    file: str
    nodes: tuple[PlanNode, ...]
    defer: PlanNode | None = None
    artifacts: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    input_artifacts: tuple[str, ...] = ()
    timeout: timedelta | None = None
    secret_inputs: tuple[str, ...] = ()
