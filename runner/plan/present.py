"""A plan and its outlook as JSON for people and their programs: durations are texts (`5m`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from runner.base import durations, errors
from runner.base.jsonvalue import JsonObject
from runner.plan import codec, measure, plan
from runner.plan.foretell import Argument
from runner.plan.knowledge import Source
from runner.plan.outlook import Outlook, Prospect
from runner.registry import estimates

_DURATIONS = ("timeout", "initial", "maximum")
_PARTS = ("retry", "revert", "cleanup", "defer")


def to_json(made: plan.Plan) -> JsonObject:
    """Write a plan for output; nothing reads this form back."""
    return _shown(codec.to_json(made))


def _shown(part: Any) -> dict[str, Any]:
    """Write the durations of a plan, node or retry as texts; arguments and artifacts stay as the author wrote them."""
    shown = dict(part)
    for name in shown.keys() & _DURATIONS:
        shown[name] = durations.text(timedelta(microseconds=shown[name]))
    for name in shown.keys() & _PARTS:
        shown[name] = _shown(shown[name])
    if "nodes" in shown:
        shown["nodes"] = [_shown(node) for node in shown["nodes"]]
    return shown


def outlook_json(found: Outlook) -> JsonObject:
    """Write what can be told of a plan; nothing reads this form back."""
    size = measure.total(found)
    return {
        "phases": [_prospect(each) for each in found.phases],
        "defer": None if found.defer is None else _prospect(found.defer),
        "artifacts": {name: [argument_json(each) for each in values] for name, values in found.artifacts.items()},
        "group": None if found.group is None else argument_json(found.group),
        "size": None if size is None else _size(size),
    }


def _prospect(found: Prospect) -> JsonObject:
    return {
        "name": found.node.name,
        "step": found.step,
        "decision": found.decision.value,
        "waitsFor": [_source(each) for each in found.waits_for],
        "arguments": [argument_json(each) for each in found.arguments],
        "instances": None
        if found.instances is None
        else [
            {"key": each.key, "arguments": [argument_json(argument) for argument in each.arguments]}
            for each in found.instances
        ],
        "itemsFrom": [_source(each) for each in found.items_from],
        "problems": [problem_json(each) for each in found.problems],
        "size": None if found.size is None else _size(found.size),
        "way": None if found.way is None else _way(found.way),
    }


def _way(way: estimates.Way) -> JsonObject:
    return {"method": way.method, "reason": way.reason, "bytesSkipped": way.skips}


def argument_json(found: Argument) -> JsonObject:
    """Write what can be told of one argument."""
    return {
        "name": found.name,
        "known": found.is_known,
        "value": found.value,
        "later": [_source(each) for each in found.later],
        "problem": None if found.problem is None else problem_json(found.problem),
    }


def _source(source: Source) -> JsonObject:
    return {"path": source.path, "when": source.when}


def problem_json(problem: errors.RunnerError) -> JsonObject:
    """Write why something is bound to fail."""
    return {
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "argument": problem.context.get("argument"),
    }


def _size(size: estimates.Size) -> JsonObject:
    return {"bytes": size.bytes, "whole": size.is_whole}
