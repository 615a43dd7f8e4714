"""What a performance comes to: results, time, people and crashes, each as in a real run."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.app import rehearsals
from tests.unit.rehearsal import rehearsing


def _attempts(outcome: rehearsals.Outcome, node: str) -> int:
    return outcome.performance.state.nodes[node].attempt


def _status(outcome: rehearsals.Outcome, node: str) -> str:
    return outcome.performance.state.nodes[node].status.value


def _ended(outcome: rehearsals.Outcome) -> str:
    return outcome.performance.run.status.value


def _code(outcome: rehearsals.Outcome) -> str:
    error = outcome.performance.run.error
    assert error is not None
    return error.code


def test_what_nobody_states_succeeds(tmp_path: Path) -> None:
    performance = rehearsing.given(tmp_path).performance
    assert performance.run.status == "succeeded"
    assert performance.sequence == (
        "freeze", "snapshot/data-0", "snapshot/data-1", "files", "notify", "enough", "release",
        "cleanup/freeze", "defer",
    )  # fmt: skip
    assert performance.run.artifacts == {"files": {"export": "export-of-files"}}
    assert performance.exports == ("files",)


def test_outputs_that_are_stated_are_completed(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {snapshot/data-1: {outputs: {id: snap-1}}}\n")
    outputs = outcome.performance.state.nodes["snapshot/data-1"].outputs
    assert (outputs["id"], outputs["volume"], outputs["sizeBytes"]) == ("snap-1", "data-1", 1)


def test_a_result_of_a_phase_with_foreach_holds_for_every_instance_without_its_own(tmp_path: Path) -> None:
    results = "results: {snapshot: {outputs: {method: clone}}, snapshot/data-1: {outputs: {method: copy}}}\n"
    nodes = rehearsing.given(tmp_path, results).performance.state.nodes
    assert [nodes[f"snapshot/data-{index}"].outputs["method"] for index in (0, 1)] == ["clone", "copy"]


def test_one_result_holds_for_all_attempts(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {freeze: {error: {kind: transient}}}\n", approve=False)
    assert (_attempts(outcome, "freeze"), _ended(outcome), _code(outcome)) == (3, "failed", "RT201")


def test_a_list_of_results_has_one_for_each_attempt(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {freeze: [{error: {kind: transient}}, {}]}\n")
    assert (_attempts(outcome, "freeze"), _ended(outcome)) == (2, "succeeded")


def test_an_attempt_without_end_is_ended_by_its_time_limit(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {freeze: [{timeout: true}, {}]}\n")
    assert (_attempts(outcome, "freeze"), _ended(outcome)) == (2, "succeeded")
    assert outcome.performance.run.duration >= 60


def test_an_attempt_that_hangs_is_abandoned_and_left_to_a_person(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {notify: {hangs: true}}\n")
    assert (_ended(outcome), outcome.performance.run.persons) == ("waiting", ("notify",))


def test_what_may_run_twice_is_tried_again_after_it_was_abandoned(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {freeze: [{hangs: true}, {}]}\n")
    assert (_ended(outcome), _attempts(outcome, "freeze")) == ("succeeded", 2)


@pytest.mark.parametrize(("word", "status"), [("succeeded", "succeeded"), ("failed", "tolerated")])
def test_a_person_settles_what_is_in_doubt(tmp_path: Path, word: str, status: str) -> None:
    outcome = rehearsing.given(tmp_path, f"results: {{notify: {{hangs: true}}}}\nsettle: {{notify: {word}}}\n")
    assert (_status(outcome, "notify"), _ended(outcome)) == (status, "succeeded")


def test_what_hung_and_ends_late_is_undone(tmp_path: Path) -> None:
    undo = '      revert: {func: DeleteExport, args: {export: "{{ phases.files.outputs.export }}"}}\n'
    blueprint = rehearsing.BLUEPRINT.replace("      timeout: 5m\n", "").replace(
        "      timeout: 10m\n", f"      timeout: 10m\n{undo}"
    )
    late = "results: {files: {hangs: true, takes: 20m, outputs: {export: late}}, notify: {takes: 1h}}\n"
    outcome = rehearsing.given(tmp_path, late, approve=False, blueprint=blueprint)
    assert (_ended(outcome), _status(outcome, "files"), _code(outcome)) == ("failed", "failed", "RT215")
    assert outcome.performance.arguments["revert/files"] == {"export": "late"}


def test_attempts_take_their_time_side_by_side(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {files: {takes: 9m}, notify: {takes: 4m}}\n")
    assert 9 * 60 <= outcome.performance.run.duration < 10 * 60


def test_an_attempt_that_takes_longer_than_its_time_limit_fails(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {files: {takes: 11m}}\n", approve=False)
    assert (_ended(outcome), _code(outcome)) == ("failed", "RT202")


def test_the_time_limit_of_the_action_ends_the_run(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {snapshot/data-0: {takes: 3h}}\n", approve=False)
    assert (_ended(outcome), _status(outcome, "snapshot/data-1")) == ("failed", "succeeded")
    assert "2h" in outcome.performance.run.failures[0][1].message


def test_a_failure_that_is_tolerated_is_a_warning(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {notify: {error: {code: RT206}}}\n")
    assert (_ended(outcome), _status(outcome, "notify")) == ("succeeded", "tolerated")
    assert [warning["phase"] for warning in outcome.performance.run.warnings] == ["notify"]


def test_a_condition_that_is_false_skips_its_phase(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "inputs: {check: false}\n")
    assert (_ended(outcome), _status(outcome, "enough")) == ("succeeded", "skipped")


def test_what_only_computes_is_called_as_it_is(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {freeze: {outputs: {count: 0}}}\n", approve=False)
    assert (_ended(outcome), _code(outcome)) == ("failed", "RT208")


def test_what_only_computes_is_played_where_its_outputs_are_given(tmp_path: Path) -> None:
    results = "results: {freeze: {outputs: {count: 0}}, enough: {outputs: {}}}\n"
    assert _ended(rehearsing.given(tmp_path, results)) == "succeeded"


def test_without_an_approval_the_run_waits(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "inputs: {check: false}\n", approve=False)
    assert (_ended(outcome), outcome.performance.run.persons) == ("waiting", ("release",))


def test_an_approval_that_is_not_given_in_time_fails(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "results: {release: {timeout: true}}\n", approve=False)
    assert (_ended(outcome), _code(outcome)) == ("failed", "RT209")


def test_a_cancel_interrupts_what_has_just_started(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "cancel: {after: files, event: started}\n", approve=False)
    assert (_ended(outcome), _status(outcome, "files"), _status(outcome, "enough")) == (
        "cancelled", "cancelled", "not_run",
    )  # fmt: skip
    assert outcome.performance.sequence[-4:] == (
        "revert/snapshot/data-1", "revert/snapshot/data-0", "cleanup/freeze", "defer",
    )  # fmt: skip


def test_a_cancel_lets_an_attempt_end_whose_result_is_given(tmp_path: Path) -> None:
    body = "cancel: {after: files, event: started}\nresults: {files: {outputs: {files: 7}}}\n"
    outcome = rehearsing.given(tmp_path, body, approve=False)
    assert (_ended(outcome), _status(outcome, "files")) == ("cancelled", "succeeded")


def test_a_cancel_after_a_phase_starts_nothing_more(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "cancel: {after: freeze}\n", approve=False)
    assert (_ended(outcome), outcome.performance.sequence) == ("cancelled", ("freeze", "cleanup/freeze", "defer"))


def test_a_cancel_ends_a_wait_for_an_approval(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "cancel: {after: release, event: waiting}\n", approve=False)
    assert (_ended(outcome), _status(outcome, "release")) == ("cancelled", "cancelled")


def test_after_a_crash_what_was_created_is_found_and_not_created_again(tmp_path: Path) -> None:
    body = """\
        results: {snapshot/data-1: {found: {id: snap-1}}}
        crashes: [{after: snapshot/data-1, event: started}]
        """
    outcome = rehearsing.given(tmp_path, body)
    assert (_ended(outcome), _attempts(outcome, "snapshot/data-1")) == ("succeeded", 1)
    assert outcome.performance.state.nodes["snapshot/data-1"].outputs["id"] == "snap-1"


def test_after_a_crash_what_was_not_created_is_created(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "crashes: [{after: snapshot/data-1, event: started}]\n")
    assert (_ended(outcome), _attempts(outcome, "snapshot/data-1")) == ("succeeded", 2)


def test_after_a_crash_what_cannot_be_told_waits_for_a_person(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "crashes: [{after: notify, event: started}]\n")
    assert (_ended(outcome), outcome.performance.run.persons) == ("waiting", ("notify",))


def test_what_was_done_before_a_crash_is_not_done_again(tmp_path: Path) -> None:
    body = "crashes: [{after: freeze}, {after: enough}, {after: cleanup/freeze}]\n"
    outcome = rehearsing.given(tmp_path, body)
    assert (_ended(outcome), _attempts(outcome, "freeze"), _attempts(outcome, "files")) == ("succeeded", 1, 1)


def test_a_crash_at_an_attempt_waits_for_it(tmp_path: Path) -> None:
    body = """\
        results: {freeze: [{error: {kind: transient}}, {error: {kind: transient}}, {}]}
        crashes: [{after: freeze, event: failed, attempt: 2}]
        """
    outcome = rehearsing.given(tmp_path, body)
    assert (_ended(outcome), _attempts(outcome, "freeze")) == ("succeeded", 3)


def test_time_and_paths_are_the_same_everywhere(tmp_path: Path) -> None:
    blueprint = rehearsing.BLUEPRINT.replace("[shop, report]", "[shop, '{{ time }}', '{{ run.id }}']")
    outcome = rehearsing.given(tmp_path, "time: 2026-03-01T02:30:00Z\n", blueprint=blueprint)
    assert outcome.performance.arguments["defer"]["command"] == ["shop", "2026-03-01T02:30:00.000000Z", "rehearse"]
    assert outcome.performance.arguments["files"] == {"paths": ["/rehearsal/data"]}


def test_secrets_are_masked_in_arguments(tmp_path: Path) -> None:
    outcome = rehearsing.given(tmp_path, "inputs: {password: correct-horse}\n")
    assert outcome.performance.arguments["freeze"]["env"] == {"PASSWORD": "[secret]"}
    assert "correct-horse" not in repr(outcome.performance.run.to_json())


def test_an_attempt_that_nothing_ends_is_said_to_stand_still(tmp_path: Path) -> None:
    blueprint = rehearsing.BLUEPRINT.replace("    timeout: 2h\n", "").replace("      timeout: 10m\n", "")
    body = "given: {results: {files: {timeout: true}}, cancel: {after: defer}}\nexpect: {status: failed}\n"
    outcome = rehearsing.perform(tmp_path, body, blueprint=blueprint)
    messages = [each.message for each in outcome.differences if each.about == "run"]
    assert messages == ["files goes on for ever"]


def test_a_rehearsal_always_takes_the_same_course(tmp_path: Path) -> None:
    body = """\
        results: {freeze: [{error: {kind: transient}}, {}], files: {takes: 1m}, notify: {takes: 1m}}
        crashes: [{after: files, event: started}]
        """
    first, second = (rehearsing.given(tmp_path, body, approve=False).performance for _ in range(2))
    assert first.sequence == second.sequence
    assert first.run == second.run


FULL = "{error: {code: RT400, message: the disk is full}}"


def test_a_restore_point_that_cannot_be_stored_fails_the_run_and_undoes_it(tmp_path: Path) -> None:
    performance = (outcome := rehearsing.given(tmp_path, f"restorePoint: {FULL}\n")).performance
    assert (_ended(outcome), _code(outcome), performance.exports) == ("failed", "RT400", ())
    assert performance.sequence[-4:] == (
        "revert/snapshot/data-1", "revert/snapshot/data-0", "cleanup/freeze", "defer",
    )  # fmt: skip
    assert outcome.differences == ()
    assert performance.storings == 1


@pytest.mark.parametrize(
    ("stated", "ended", "storings"),
    [
        ("{}", "succeeded", 1),
        ("{error: {kind: transient}}", "failed", 4),
        ("[{error: {kind: transient}}, {}]", "succeeded", 2),
        ("[{error: {kind: transient}}, {error: {kind: permanent}}]", "failed", 2),
        ("[{error: {kind: transient}}, {error: {kind: transient}}, {error: {kind: transient}}, {}]", "succeeded", 4),
    ],
)
def test_storing_is_tried_again_as_in_a_real_run(tmp_path: Path, stated: str, ended: str, storings: int) -> None:
    outcome = rehearsing.given(tmp_path, f"restorePoint: {stated}\n")
    assert (_ended(outcome), outcome.performance.storings) == (ended, storings)
    assert outcome.performance.exports == (("files",) if ended == "succeeded" else ())
    assert outcome.differences == ()
