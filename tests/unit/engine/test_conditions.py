"""`when` and `onError`: what is skipped, what is tolerated, and what may be read of it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from runner.base import errors
from runner.engine import drive, events
from runner.engine.host import ExportDraft, Silent
from runner.engine.run_state import RunState
from runner.engine.states import RunStatus
from runner.plan.plan import NodeKind, Retry
from runner.registry import context
from tests.unit.engine.bench import Bench, fail_with, node, plan


def test_a_phase_whose_condition_is_false_is_skipped_and_does_not_stand_in_the_way(bench: Bench) -> None:
    first = node("first", when="inputs.wanted", cleanup=node("first", kind=NodeKind.CLEANUP))

    state = bench.run(plan(first, node("second", ("first",))), {"wanted": False})

    assert state.finished == "succeeded"
    assert (state.nodes["first"].status, state.nodes["first"].reason) == (
        "skipped",
        "its condition is false: inputs.wanted",
    )
    assert [name for name, _, _ in bench.script.calls] == ["second"]


def test_a_phase_whose_condition_is_true_runs(bench: Bench) -> None:
    second = node("second", ("first",), when='phases.first.outputs.value == "first"')

    state = bench.run(plan(node("first"), second))

    assert [name for name, _, _ in bench.script.calls] == ["first", "second"]
    assert state.finished == "succeeded"


@pytest.mark.parametrize(
    ("condition", "code"),
    [("inputs.text", "KB410"), ("inputs.missing", "KB404"), ("inputs.text > 3", "KB405"), ("inputs.text +", "KB401")],
)
def test_a_condition_that_decides_nothing_fails_the_phase_and_the_run(bench: Bench, condition: str, code: str) -> None:
    state = bench.run(plan(node("first", when=condition, tolerate=True), node("second", ("first",))), {"text": "yes"})

    assert state.finished == "failed"
    assert [(name, error.code) for name, error in state.failures] == [("first", code)]
    assert bench.script.calls == []


def test_what_reads_data_of_a_skipped_phase_fails(bench: Bench) -> None:
    second = node("second", ("first",), arguments={"value": "{{ phases.first.outputs.value }}"})

    state = bench.run(plan(node("first", when="false"), second))

    assert state.failures[0][1].code == "KB404"
    assert "was skipped (its condition is false: false)" in state.failures[0][1].message


def test_data_of_a_skipped_phase_has_a_default(bench: Bench) -> None:
    second = node("second", ("first",), arguments={"value": "{{ phases.first.outputs.value | default('none') }}"})

    bench.run(plan(node("first", when="false"), second))

    assert bench.script.calls == [("second", 1, "none")]


def test_an_artifact_of_a_skipped_phase_fails_the_run(bench: Bench) -> None:
    first = node("first", when="false")

    state = bench.run(plan(first, artifacts={"a": {"k": "{{ phases.first.outputs.value }}"}}))

    assert (state.finished, state.failures[0][1].code) == ("failed", "KB404")


def test_a_skipped_deferred_phase_ends_the_run(bench: Bench) -> None:
    state = bench.run(plan(node("first"), defer=node("last", kind=NodeKind.DEFER, when="false")))

    assert state.finished == "succeeded"
    assert state.nodes["defer/last"].status == "skipped"


def test_a_tolerated_failure_is_a_warning(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(errors.PermanentError("no space"))]

    state = bench.run(plan(node("first", tolerate=True), node("second", ("first",))))

    assert state.finished == "succeeded"
    assert state.nodes["first"].status == "tolerated"
    assert state.warnings == [("first", "failed, and the action went on: no space")]


def test_a_failure_is_tolerated_only_after_the_last_attempt(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(errors.TransientError("busy"))]

    state = bench.run(plan(node("first", tolerate=True, retry=Retry(limit=1))))

    assert state.nodes["first"].status == "succeeded"
    assert state.warnings == []


def test_a_tolerated_failure_does_not_hide_another(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(errors.PermanentError("no space"))]
    bench.script.actions["second"] = [fail_with(errors.PermanentError("broken"))]

    state = bench.run(plan(node("first", tolerate=True), node("second", ("first",))))

    assert state.finished == "failed"
    assert [(name, error.message) for name, error in state.failures] == [("second", "broken")]


def test_a_defect_is_never_tolerated(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(ZeroDivisionError("oops"))]

    assert bench.run(plan(node("first", tolerate=True))).finished == "failed"


def test_a_tolerated_phase_that_had_created_its_thing_has_succeeded(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(errors.TransientError("connection lost"))]
    first = node("first", function="Export", has_find=True, exports=True, tolerate=True)
    bench.script.found["first"] = bench.script.export("found")

    state = bench.run(plan(first))

    assert state.nodes["first"].status == "succeeded"
    (point,) = bench.host.points.values()
    assert [draft.outputs["export"] for draft in point.exports] == ["found"]


def test_exports_of_tolerated_phases_are_not_in_the_restore_point(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(errors.PermanentError("unreadable"))]
    first, second = (node(name, function="Export", exports=True, tolerate=True) for name in ("first", "second"))

    state = bench.run(plan(first, second))

    assert state.finished == RunStatus.SUCCEEDED
    (point,) = bench.host.points.values()
    assert [(draft.phase, draft.key) for draft in point.exports if isinstance(draft, ExportDraft)] == [("second", "")]


def test_what_a_tolerated_phase_leaves_behind_late_is_undone_although_the_run_has_committed(bench: Bench) -> None:
    release, left = threading.Event(), threading.Event()

    def outlive(ctx: context.PhaseContext) -> None:
        release.wait(10)

    def go_on(ctx: context.PhaseContext) -> None:
        release.set()
        left.wait(10)

    class Watch(Silent):
        def on_event(self, record: events.Record, state: RunState) -> None:
            if isinstance(record.event, events.Residue):
                left.set()

    bench.script.actions = {"first": [outlive], "second": [go_on]}
    revert = node("first", kind=NodeKind.REVERT, arguments={"value": "{{ phases.first.outputs.export }}"})
    short = timedelta(milliseconds=50)
    first = node("first", function="Export", exports=True, has_find=True, tolerate=True, timeout=short, revert=revert)
    run = bench.create(plan(first, node("second", ("first",))))

    state = drive.drive(run, bench.host, Watch(), bench.control, grace=short)

    assert (state.finished, state.nodes["first"].status) == ("succeeded", "tolerated")
    assert bench.script.calls[-1] == ("revert/first", 1, "e")
