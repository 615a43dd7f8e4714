"""Plans as JSON for people."""

from __future__ import annotations

from datetime import timedelta

from runner.plan import plan, present

MINUTES = timedelta(minutes=5)


def test_durations_are_texts_and_arguments_stay_as_written() -> None:
    undo = plan.PlanNode(
        id="revert/a", kind=plan.NodeKind.REVERT, name="a", function="F", arguments={}, pointer="/r", timeout=MINUTES
    )
    node = plan.PlanNode(
        id="a",
        kind=plan.NodeKind.PHASE,
        name="a",
        function="F",
        arguments={"timeout": 7},
        pointer="/p",
        timeout=MINUTES,
        retry=plan.Retry(limit=1),
        revert=undo,
    )
    shown = present.to_json(plan.Plan(blueprint="b", action="c", file="f", nodes=(node,), timeout=timedelta(hours=2)))
    assert shown["timeout"] == "2h"
    assert isinstance(shown["nodes"], list)
    assert shown["nodes"][0]["timeout"] == shown["nodes"][0]["revert"]["timeout"] == "5m"
    assert shown["nodes"][0]["retry"]["initial"] == "1s"
    assert shown["nodes"][0]["retry"]["maximum"] == "2m"
    assert shown["nodes"][0]["arguments"] == {"timeout": 7}
