"""A plan as JSON for people and their programs: as the journal keeps it, with durations as texts (`5m`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from runner.base import durations
from runner.base.jsonvalue import JsonObject
from runner.plan import codec, plan

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
