"""Whole runs through journal, workers and conductor, with functions declared here."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from runner.base import clock as clocks
from runner.base import errors, secret
from runner.engine import carry, drive, events, inbox, journal_file, result
from runner.engine.control import Control
from runner.engine.host import Silent
from runner.engine.request import Request
from runner.engine.run_state import RunState
from runner.engine.states import RunStatus
from runner.plan.plan import NodeKind, Output, Retry
from runner.registry import context
from tests.unit.engine.bench import Bench, DoExport, DoOutputs, fail_with, node, plan


def test_a_chain_runs_in_order_and_later_phases_read_earlier_outputs(bench: Bench) -> None:
    second = node("second", ("first",), arguments={"value": "<{{ phases.first.outputs.value }}>"})

    state = bench.run(plan(node("first"), second, artifacts={"a": {"k": "{{ phases.second.outputs.value }}"}}))

    assert state.finished == "succeeded"
    assert bench.script.calls == [("first", 1, "first"), ("second", 1, "<first>")]
    assert state.committed is not None
    assert state.committed.artifacts == {"a": {"k": "<first>"}}


def test_declared_outputs_are_typed_and_readable(bench: Bench) -> None:
    bench.script.actions["first"] = [lambda ctx: DoOutputs(value="v", count="3")]  # type: ignore[call-arg]
    first = node("first", outputs={"count": Output(type="integer")})
    second = node("second", ("first",), arguments={"value": "n={{ phases.first.outputs.count }}"})

    state = bench.run(plan(first, second))

    assert state.nodes["first"].outputs == {"value": "v", "count": 3}
    assert bench.script.calls[-1] == ("second", 1, "n=3")


def test_a_missing_declared_output_fails_the_phase(bench: Bench) -> None:
    state = bench.run(plan(node("first", outputs={"count": Output(type="integer")})))

    assert state.finished == "failed"
    assert state.failures[0][1].code == "RT216"


def test_a_failure_undoes_what_was_done_newest_first(bench: Bench) -> None:
    bench.script.actions["third"] = [fail_with(errors.PermanentError("broken"))]
    first = node("first", revert=node("first", kind=NodeKind.REVERT), cleanup=node("first", kind=NodeKind.CLEANUP))
    second = node("second", ("first",), revert=node("second", kind=NodeKind.REVERT))
    third = node("third", ("second",), revert=node("third", kind=NodeKind.REVERT))
    last = node("last", kind=NodeKind.DEFER)

    state = bench.run(plan(first, second, third, node("never", ("third",)), defer=last))

    assert state.finished == "failed"
    assert [name for name, _, _ in bench.script.calls] == [
        "first", "second", "third", "revert/second", "cleanup/first", "revert/first", "defer/last",
    ]  # fmt: skip
    assert state.nodes["never"].status == "not_run"


def test_a_committed_run_cleans_up_but_reverts_nothing(bench: Bench) -> None:
    first = node("first", revert=node("first", kind=NodeKind.REVERT), cleanup=node("first", kind=NodeKind.CLEANUP))
    bench.script.actions["cleanup/first"] = [fail_with(errors.PermanentError("stuck"))]

    state = bench.run(plan(first))

    assert [name for name, _, _ in bench.script.calls] == ["first", "cleanup/first"]
    assert state.finished == "succeeded"
    assert state.warnings == [("cleanup/first", "stuck")]


def test_transient_failures_are_tried_again_within_the_limit(tmp_path: Path) -> None:
    bench = Bench(tmp_path, clocks.FakeClock())
    bench.script.actions["first"] = [fail_with(errors.TransientError("busy"))] * 2

    state = bench.run(plan(node("first", retry=Retry(limit=2, initial=timedelta(minutes=1)))))

    assert state.finished == "succeeded"
    assert [attempt for _, attempt, _ in bench.script.calls] == [1, 2, 3]
    assert bench.clock.monotonic() >= 60 * 0.8 + 120 * 0.8


def test_permanent_failures_are_not_tried_again(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(errors.PermanentError("no"))]

    state = bench.run(plan(node("first", retry=Retry(limit=5))))

    assert state.finished == "failed"
    assert len(bench.script.calls) == 1


def test_a_defect_of_a_function_ends_the_run_with_the_internal_exit_code(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(ZeroDivisionError("oops"))]
    run = bench.create(plan(node("first", retry=Retry(limit=5))))

    bench.drive(run)

    shown = result.load(run, bench.clock.now())
    assert shown.exit == 70
    assert "ZeroDivisionError" in (shown.error.message if shown.error else "")
    assert "Traceback" in run.log.read_text()


def test_an_attempt_that_exceeds_its_timeout_fails(bench: Bench) -> None:
    bench.script.actions["first"] = [lambda ctx: ctx.cancel.wait(60)]

    state = bench.run(plan(node("first", timeout=timedelta(milliseconds=50))))

    assert state.failures[0][1].kind == "timeout"
    assert state.finished == "failed"


def test_an_attempt_that_does_not_end_is_abandoned_and_waits_to_be_settled(bench: Bench) -> None:
    release = threading.Event()
    bench.script.actions["first"] = [lambda ctx: release.wait(30) and None]
    run = bench.create(plan(node("first", timeout=timedelta(milliseconds=50))))

    state = drive.drive(run, bench.host, control=bench.control, grace=timedelta(milliseconds=50))
    release.set()

    assert not state.is_finished
    shown = result.load(run, bench.clock.now())
    assert (shown.status, shown.persons, shown.exit) == (RunStatus.WAITING, ("first",), 6)

    inbox.post(run.inbox, inbox.Settle("first", "failed"))
    assert bench.drive(run).finished == "failed"


def test_the_deadline_of_the_action_interrupts_and_unwinds(bench: Bench) -> None:
    bench.script.actions["first"] = [lambda ctx: ctx.cancel.wait(60)]
    first = node("first", cleanup=node("first", kind=NodeKind.CLEANUP))

    state = bench.run(plan(first, timeout=timedelta(milliseconds=100)))

    assert state.failures[0][1].code == "RT202"
    assert bench.script.calls[-1][0] == "cleanup/first"


def test_cancel_interrupts_unwinds_and_ends_as_cancelled(bench: Bench) -> None:
    def wait(ctx: context.PhaseContext) -> None:
        bench.control.cancel()
        ctx.cancel.wait(60)

    bench.script.actions["second"] = [wait]
    first = node("first", revert=node("first", kind=NodeKind.REVERT))
    run = bench.create(plan(first, node("second", ("first",))))

    state = bench.drive(run)

    assert state.finished == "cancelled"
    assert bench.script.calls[-1][0] == "revert/first"
    assert result.load(run, bench.clock.now()).exit == 5


def test_stop_leaves_the_run_to_be_resumed_and_settled(bench: Bench) -> None:
    def wait(ctx: context.PhaseContext) -> None:
        bench.control.stop()
        ctx.cancel.wait(0.2)

    bench.script.actions["second"] = [wait]
    run = bench.create(plan(node("first"), node("second", ("first",))))
    bench.drive(run)
    assert result.load(run, bench.clock.now()).status is RunStatus.INTERRUPTED

    bench.control = Control()
    state = bench.drive(run)
    assert not state.is_finished
    assert result.load(run, bench.clock.now()).persons == ("second",)

    inbox.post(run.inbox, inbox.Settle("second", "rerun"))
    state = bench.drive(run)
    assert state.finished == "succeeded"
    assert [(name, attempt) for name, attempt, _ in bench.script.calls] == [("first", 1), ("second", 1), ("second", 2)]


def test_an_approval_survives_the_end_of_its_driver(bench: Bench) -> None:
    bench.script.actions["first"] = [lambda ctx: context.Approval("really?", None)]
    run = bench.create(plan(node("first"), node("second", ("first",))))

    bench.drive(run)
    shown = result.load(run, bench.clock.now())
    assert (shown.status, shown.phases[0].status, shown.phases[0].reason) == (RunStatus.WAITING, "waiting", "really?")

    inbox.post(run.inbox, inbox.Approve("first", "fine"))
    state = bench.drive(run)
    assert state.finished == "succeeded"
    assert state.nodes["first"].outputs == {"comment": "fine"}
    assert [name for name, _, _ in bench.script.calls] == ["first", "second"]


def test_a_pause_keeps_the_driver_attached_until_its_moment(tmp_path: Path) -> None:
    bench = Bench(tmp_path, clocks.FakeClock())
    until = bench.clock.now() + timedelta(hours=2)
    bench.script.actions["first"] = [lambda ctx: context.Until(until)]

    state = bench.run(plan(node("first")))

    assert state.finished == "succeeded"
    assert bench.clock.now() >= until


def test_an_approval_that_is_not_given_in_time_fails_the_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, clocks.FakeClock())
    expires = bench.clock.now() + timedelta(hours=1)
    bench.script.actions["first"] = [lambda ctx: context.Approval("really?", expires)]
    run = bench.create(plan(node("first")))
    bench.drive(run)

    assert isinstance(bench.clock, clocks.FakeClock)
    bench.clock.advance(3601)
    state = bench.drive(run)

    assert state.failures[0][1].code == "RT209"


def test_exports_make_one_restore_point_with_the_artifacts(bench: Bench) -> None:
    export = node("data", function="Export", exports=True, has_find=True)
    artifacts = {"data": {"export": "{{ phases.data.outputs.export }}"}}

    state = bench.run(plan(export, artifacts=artifacts))

    (draft,) = bench.host.points.values()
    assert draft.artifacts == {"data": {"export": "e"}}
    assert [export.phase for export in draft.exports] == ["data"]
    assert state.committed is not None
    assert state.committed.restore_point is not None


def test_a_restore_point_that_cannot_be_stored_fails_and_reverts(bench: Bench) -> None:
    bench.host.store_failures = [errors.PermanentError("no space", code="RT312")]
    export = node("data", function="Export", exports=True, revert=node("data", kind=NodeKind.REVERT))

    state = bench.run(plan(export))

    assert state.finished == "failed"
    assert bench.host.points == {}
    assert bench.script.calls[-1][0] == "revert/data"


def test_secret_inputs_reach_the_function_and_nothing_else(bench: Bench, tmp_path: Path) -> None:
    value = "hunter2-correct-horse"
    first = node("first", arguments={"value": "x", "password": "{{ inputs.password }}"}, function="Do")
    run = bench.create(
        plan(first, node("gate", ("first",)), secret_inputs=("password",)),
        {"password": secret.Secret("inputs.password", lambda: value)},
    )
    bench.script.actions["gate"] = [lambda ctx: context.Approval("go on?", None)]
    bench.drive(run)

    assert bench.script.revealed[0] == value
    holders = [path.parent.name for path in tmp_path.rglob("*") if path.is_file() and value in path.read_text()]
    assert holders == ["sealed"]

    inbox.post(run.inbox, inbox.Cancel())
    assert bench.drive(run).finished == "cancelled"
    assert not (run.path / "sealed").exists()


def test_a_secret_output_is_sealed_and_can_be_passed_on(bench: Bench, tmp_path: Path) -> None:
    value = "generated-password-1"
    bench.script.actions["first"] = [lambda ctx: DoOutputs(value="v", key=value)]  # type: ignore[call-arg]
    first = node("first", outputs={"key": Output(secret=True)})
    second = node("second", ("first",), arguments={"password": "{{ phases.first.outputs.key }}"})

    bench.run(plan(first, second))

    assert bench.script.revealed[-1] == value
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and value in path.read_text()]


def test_events_are_shown_only_after_they_are_in_the_journal(bench: Bench) -> None:
    run = bench.create(plan(node("first"), node("second", ("first",))))

    class Checking(Silent):
        def on_event(self, record: events.Record, state: RunState) -> None:
            assert record in run.records()

    assert bench.drive(run, Checking()).finished == "succeeded"


def test_a_second_driver_is_refused_while_the_first_holds_the_lock(bench: Bench) -> None:
    run = bench.create(plan(node("first")))

    with run.lock(), pytest.raises(errors.EnvironmentProblem, match="driven by process") as caught:
        bench.drive(run)

    assert caught.value.code == "RT211"


def test_driving_a_finished_run_again_does_nothing(bench: Bench) -> None:
    run = bench.create(plan(node("first")))
    bench.drive(run)
    before = run.journal.read_bytes()

    bench.drive(run)

    assert run.journal.read_bytes() == before
    assert len(bench.script.calls) == 1


def test_an_unknown_reference_fails_with_its_place(bench: Bench) -> None:
    state = bench.run(plan(node("first", arguments={"value": "{{ inputs.nope }}"})))

    error = state.failures[0][1]
    assert error.code == "KB404"
    assert error.context["argument"] == "/value"


def test_a_clock_that_goes_backwards_changes_neither_order_nor_result(tmp_path: Path) -> None:
    clock = clocks.FakeClock()
    bench = Bench(tmp_path, clock)

    def back(ctx: context.PhaseContext) -> None:
        clock.set_wall(clock.now() - timedelta(days=1))

    bench.script.actions["first"] = [back]
    run = bench.create(plan(node("first"), node("second", ("first",))))

    assert bench.drive(run).finished == "succeeded"
    assert [record.seq for record in run.records()] == list(range(len(run.records())))
    assert result.load(run, clock.now()).duration >= 0


def test_an_attempt_that_cannot_tell_how_it_ended_is_in_doubt_and_not_failed(bench: Bench) -> None:
    lost = fail_with(errors.OutcomeUnknown("its reaper was killed"))
    bench.script.actions = {"opaque": [lost], "harmless": [lost]}
    run = bench.create(plan(node("opaque"), node("harmless", idempotent=True)))

    state = bench.drive(run)

    assert state.nodes["harmless"].status == "succeeded"
    assert state.nodes["harmless"].attempt == 2
    assert result.load(run, bench.clock.now()).persons == ("opaque",)


def test_a_lookup_that_found_nothing_is_not_asked_again(bench: Bench) -> None:
    export = node("data", function="Export", has_find=True, exports=True)
    run = bench.create(plan(export))
    with run.lock():
        journal = journal_file.FileJournal(run.journal)
        started = events.Started(node="data", attempt=1)
        journal.append([events.Record(seq=1, at="2026-01-01T00:00:00Z", elapsed=0.0, event=started)])
        journal.close()

    state = bench.drive(run)

    kinds = [record.event.type for record in run.records() if getattr(record.event, "node", None) == "data"]
    assert kinds == ["phase.started", "phase.in_doubt", "phase.looked_for", "phase.started", "phase.succeeded"]
    assert state.finished == "succeeded"


def test_what_a_crashed_attempt_created_is_taken_and_not_created_again(bench: Bench) -> None:
    run = bench.create(plan(node("data", function="Export", has_find=True, exports=True)))
    with run.lock():
        journal = journal_file.FileJournal(run.journal)
        started = events.Started(node="data", attempt=1)
        journal.append([events.Record(seq=1, at="2026-01-01T00:00:00Z", elapsed=0.0, event=started)])
        journal.close()
    bench.script.found["data"] = DoExport(export="x", bytes_read=1, bytes_new=1, bytes_stored=1)

    state = bench.drive(run)

    assert bench.script.calls == []
    assert state.nodes["data"].outputs["export"] == "x"


def test_a_full_disk_under_a_function_is_no_defect(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(OSError(28, "No space left on device", "/data/x"))]
    run = bench.create(plan(node("first")))

    bench.drive(run)

    shown = result.load(run, bench.clock.now())
    assert shown.error is not None
    assert (shown.error.code, shown.exit) == ("RT312", 4)


def test_a_log_that_cannot_be_written_does_not_stop_a_run(bench: Bench) -> None:
    run = bench.create(plan(node("first")))
    run.log.symlink_to("/dev/full")
    bench.script.actions["first"] = [lambda ctx: ctx.log.info("hello")]

    assert bench.drive(run).finished == "succeeded"


def test_a_defect_outside_of_any_function_ends_the_drive(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("runner.engine.invoke.attempt", broken)
    with pytest.raises(ZeroDivisionError):
        bench.run(plan(node("first")))


def test_a_taken_run_id_is_refused_and_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.runs.create(Request(plan=plan(node("first")), blueprint_text=""), "b0000001")

    with pytest.raises(errors.UsageError) as caught:
        bench.runs.create(Request(plan=plan(node("first")), blueprint_text=""), "b0000001")

    assert caught.value.code == "RT104"
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["b0000001"]


def test_an_approval_that_comes_early_counts_when_its_phase_asks_for_it(bench: Bench) -> None:
    bench.script.actions["gate"] = [lambda ctx: context.Approval("go on?", None)]
    run = bench.create(plan(node("first"), node("gate", ("first",))))
    bench.script.actions["first"] = [lambda ctx: inbox.post(run.inbox, inbox.Approve("gate", "in advance")) and None]

    state = bench.drive(run)

    assert state.finished == "succeeded"
    assert state.nodes["gate"].outputs == {"comment": "in advance"}


def test_nobody_stays_attached_only_to_see_an_approval_expire(bench: Bench) -> None:
    later = bench.clock.now() + timedelta(hours=1)
    bench.script.actions["gate"] = [lambda ctx: context.Approval("go on?", later)]
    run = bench.create(plan(node("gate")))

    bench.drive(run)

    assert result.load(run, bench.clock.now()).status is RunStatus.WAITING


def test_looking_at_a_run_never_keeps_a_driver_out(bench: Bench) -> None:
    run = bench.create(plan(node("first")))
    assert not run.is_driven
    with run.lock():
        assert run.is_driven
        assert run.is_driven
    assert not run.is_driven


def test_an_artifact_that_cannot_be_rendered_fails_with_its_place(bench: Bench) -> None:
    text = """apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {name: b}
actions:
  backup:
    outputArtifacts:
      data: {keyValue: {size: "{{ inputs.nope }}"}}
    phases:
    - {name: first, func: AssertThat, args: {that: true}}
"""
    artifacts = {"data": {"size": "{{ inputs.nope }}"}}
    run = bench.runs.create(Request(plan=plan(node("first"), artifacts=artifacts), blueprint_text=text))

    state = bench.drive(run)

    error = state.failures[0][1]
    assert error.code == "KB404"
    assert error.position is not None
    assert (error.position["line"], error.position["column"]) == (7, 31)


def test_time_counts_over_all_drivers_and_only_while_one_drives() -> None:
    state = RunState(plan(node("first")))
    attached = events.Attached(pid=1, host="h")
    told = events.Warned(node="first", message="m")
    seen: list[tuple[float, events.Event]] = [(0.0, attached), (2.5, told), (0.0, attached), (1.5, told)]
    for seq, (elapsed, event) in enumerate(seen):
        state.apply(events.Record(seq=seq, at="2026-01-01T00:00:00Z", elapsed=elapsed, event=event))

    assert (state.active_before, state.active) == (2.5, 4.0)


def test_an_error_code_that_only_a_plugin_knows_fails_the_run(bench: Bench) -> None:
    bench.script.actions["first"] = [fail_with(errors.PermanentError("odd", code="XY123"))]
    run = bench.create(plan(node("first")))

    bench.drive(run)

    assert result.load(run, bench.clock.now()).exit == 1


def test_a_pause_grows_up_to_its_maximum_however_often_it_was_tried() -> None:
    policy = Retry(limit=1000, factor=100.0, maximum=timedelta(minutes=2), jitter=0.0)
    assert [carry.backoff(policy, retries, 0.5) for retries in (0, 1, 1000)] == [1.0, 100.0, 120.0]
