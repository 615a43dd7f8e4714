"""A plan as a JSON value and back, without loss: this is how the journal keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from runner.base.jsonvalue import JsonObject, JsonValue
from runner.plan import plan

_MICROSECOND = timedelta(microseconds=1)


def to_json(made: plan.Plan) -> JsonObject:
    """Write a plan; what has its default value is left out, times are whole microseconds."""
    required = {"blueprint": made.blueprint, "action": made.action, "file": made.file}
    return required | _filled(
        {
            "nodes": [_node(node) for node in made.nodes],
            "defer": _optional_node(made.defer),
            "artifacts": made.artifacts,
            "inputArtifacts": list(made.input_artifacts),
            "timeout": _duration(made.timeout),
            "concurrency": _concurrency(made.concurrency),
            "secretInputs": list(made.secret_inputs),
        }
    )


def from_json(value: JsonObject) -> plan.Plan:
    """Read what `to_json` wrote."""
    data: Mapping[str, Any] = value
    return plan.Plan(
        blueprint=data["blueprint"],
        action=data["action"],
        file=data["file"],
        nodes=tuple(_read_node(node) for node in data.get("nodes", ())),
        defer=_read_optional_node(data.get("defer")),
        artifacts=data.get("artifacts", {}),
        input_artifacts=tuple(data.get("inputArtifacts", ())),
        timeout=_read_duration(data.get("timeout")),
        concurrency=_read_concurrency(data.get("concurrency", {})),
        secret_inputs=tuple(data.get("secretInputs", ())),
    )


def _node(node: plan.PlanNode) -> JsonObject:
    return {
        "id": node.id,
        "kind": str(node.kind),
        "name": node.name,
        "function": node.function,
        "pointer": node.pointer,
    } | _filled(
        {
            "arguments": node.arguments,
            "edges": [
                _filled({"source": each.source, "why": str(each.why), "detail": each.detail}) for each in node.edges
            ],
            "when": node.when,
            "foreach": None if node.foreach is None else _foreach(node.foreach),
            "tolerate": node.tolerate,
            "timeout": _duration(node.timeout),
            "retry": _retry(node.retry),
            "outputs": {name: _output(each) for name, each in node.outputs.items()},
            "exports": node.exports,
            "reads": node.reads,
            "idempotent": node.idempotent,
            "hasFind": node.has_find,
            "revert": _optional_node(node.revert),
            "cleanup": _optional_node(node.cleanup),
            "description": node.description,
        }
    )


def _read_node(data: Mapping[str, Any]) -> plan.PlanNode:
    return plan.PlanNode(
        id=data["id"],
        kind=plan.NodeKind(data["kind"]),
        name=data["name"],
        function=data["function"],
        arguments=data.get("arguments", {}),
        pointer=data["pointer"],
        edges=tuple(
            plan.Edge(source=each["source"], why=plan.Why(each["why"]), detail=each.get("detail", ""))
            for each in data.get("edges", ())
        ),
        when=data.get("when", ""),
        foreach=_read_foreach(data["foreach"]) if "foreach" in data else None,
        tolerate=data.get("tolerate", False),
        timeout=_read_duration(data.get("timeout")),
        retry=_read_retry(data.get("retry", {})),
        outputs={name: plan.Output(**each) for name, each in data.get("outputs", {}).items()},
        exports=data.get("exports", False),
        reads=data.get("reads", False),
        idempotent=data.get("idempotent", False),
        has_find=data.get("hasFind", False),
        revert=_read_optional_node(data.get("revert")),
        cleanup=_read_optional_node(data.get("cleanup")),
        description=data.get("description", ""),
    )


def _optional_node(node: plan.PlanNode | None) -> JsonValue:
    return None if node is None else _node(node)


def _read_optional_node(data: Mapping[str, Any] | None) -> plan.PlanNode | None:
    return None if data is None else _read_node(data)


def _foreach(foreach: plan.Foreach) -> JsonObject:
    return {"items": foreach.items} | _filled(
        {"key": foreach.key, "maxParallel": foreach.max_parallel, "failFast": foreach.fail_fast}
    )


def _read_foreach(data: Mapping[str, Any]) -> plan.Foreach:
    return plan.Foreach(
        items=data["items"],
        key=data.get("key", ""),
        max_parallel=data.get("maxParallel"),
        fail_fast=data.get("failFast", False),
    )


def _concurrency(concurrency: plan.Concurrency) -> JsonObject:
    if concurrency == plan.Concurrency():
        return {}
    return {"group": concurrency.group, "queue": concurrency.queue, "maxParallel": concurrency.max_parallel}


def _read_concurrency(data: Mapping[str, Any]) -> plan.Concurrency:
    if not data:
        return plan.Concurrency()
    return plan.Concurrency(group=data["group"], queue=data["queue"], max_parallel=data["maxParallel"])


def _output(output: plan.Output) -> JsonObject:
    return {"type": output.type, "secret": output.secret, "description": output.description}


def _retry(retry: plan.Retry) -> JsonObject:
    if retry == plan.Retry():
        return {}
    return {
        "limit": retry.limit,
        "errors": list(retry.errors),
        "initial": _duration(retry.initial),
        "factor": retry.factor,
        "maximum": _duration(retry.maximum),
        "jitter": retry.jitter,
    }


def _read_retry(data: Mapping[str, Any]) -> plan.Retry:
    if not data:
        return plan.Retry()
    return plan.Retry(
        limit=data["limit"],
        errors=tuple(data["errors"]),
        initial=data["initial"] * _MICROSECOND,
        factor=data["factor"],
        maximum=data["maximum"] * _MICROSECOND,
        jitter=data["jitter"],
    )


def _duration(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // _MICROSECOND


def _read_duration(microseconds: int | None) -> timedelta | None:
    return None if microseconds is None else microseconds * _MICROSECOND


def _filled(values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Leave out what reading fills in again: nothing, false, and empty texts, lists and mappings."""
    return {
        name: value
        for name, value in values.items()
        if value is not None and value is not False and value not in ("", [], {})
    }
