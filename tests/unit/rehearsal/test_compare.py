"""What differs, where that stands in the rehearsal, and what explains it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from runner.rehearsal.compare import Difference
from runner.rehearsal.sides import ABSENT, Sides
from tests.unit.rehearsal import rehearsing

FAILS = "results: {files: {error: {code: RT313, message: unreadable}}}\n"
PASSES = "approvals: [release]\n"
ALL = ["freeze", "snapshot/data-0", "snapshot/data-1", "files", "notify"]


def _differences(place: Path, given: str, expect: str) -> tuple[Difference, ...]:
    body = f"given:\n{indent(dedent(given), '  ')}expect:\n{indent(dedent(expect), '  ')}"
    return rehearsing.perform(place, body).differences


def _one(place: Path, given: str, expect: str) -> Difference:
    (difference,) = _differences(place, given, expect)
    return difference


@pytest.mark.parametrize(
    "expect",
    [
        "status: failed",
        "sequence: [freeze, snapshot/data-0, snapshot/data-1, files, notify, revert/snapshot/data-1, "
        "revert/snapshot/data-0, cleanup/freeze, defer]",
        "states: {files: failed, notify: succeeded, snapshot: succeeded, revert/snapshot/data-0: succeeded}",
        "not_run: [release, enough]",
        "skipped: []",
        "artifacts: {}",
        "restorePoint: []",
        "warnings: []",
        "error: {code: RT313, phase: files, message: reada}",
        "attempts: {files: 1, release: 0}",
        "arguments: {notify: {command: [notify]}, files: {}}",
    ],
)
def test_what_is_as_expected_is_no_difference(tmp_path: Path, expect: str) -> None:
    assert _differences(tmp_path, FAILS, f"{expect}\n") == ()


@pytest.mark.parametrize(
    ("expect", "about", "expected", "got"),
    [
        ("status: succeeded", "status", "succeeded", "failed"),
        ("states: {files: succeeded}", "states.files", "succeeded", "failed"),
        ("states: {cleanup/freeze: not_run}", "states.cleanup/freeze", "not_run", "succeeded"),
        ("states: {snapshot/data-9: failed}", "states.snapshot/data-9", "failed", ABSENT),
        ("not_run: [release]", "not_run", ["release"], ["enough", "release"]),
        ("skipped: [enough]", "skipped", ["enough"], []),
        ("restorePoint: [files]", "restorePoint", ["files"], []),
        ("error: {code: RT304}", "error.code", "RT304", "RT313"),
        ("error: {phase: notify}", "error.phase", "notify", "files"),
        ("error: {message: quota}", "error.message", "quota", "unreadable"),
        ("attempts: {files: 3}", "attempts.files", 3, 1),
        ("attempts: {release: 1}", "attempts.release", 1, 0),
        ("artifacts: {files: {export: e}}", "artifacts.files", {"export": "e"}, ABSENT),
        ("arguments: {release: {message: Keep it?}}", "arguments.release.message", "Keep it?", ABSENT),
        ("arguments: {notify: {stdin: x}}", "arguments.notify.stdin", "x", ABSENT),
        ("warnings: [{message: slow}]", "warnings", ["slow"], []),
    ],
)
def test_what_is_not_as_expected_is_a_difference(
    tmp_path: Path, expect: str, about: str, expected: Any, got: Any
) -> None:
    difference = _one(tmp_path, FAILS, f"{expect}\n")
    assert (difference.about, difference.sides) == (about, Sides(expected=expected, got=got))


def test_a_sequence_differs_as_a_whole(tmp_path: Path) -> None:
    difference = _one(tmp_path, "cancel: {after: freeze}\n", "sequence: [freeze, files]\n")
    assert difference.sides == Sides(expected=["freeze", "files"], got=["freeze", "cleanup/freeze", "defer"])


def test_the_place_of_a_difference_is_that_of_the_value_that_was_expected(tmp_path: Path) -> None:
    difference = _one(tmp_path, PASSES, "arguments:\n  files:\n    paths: [/elsewhere]\n")
    assert (difference.span.line, difference.span.column) == (10, 14)


def test_a_failure_is_explained_by_its_first_cause(tmp_path: Path) -> None:
    assert _one(tmp_path, FAILS, "status: succeeded\n").hint == "files failed: error[RT313]: unreadable"


def test_an_argument_is_explained_by_its_template(tmp_path: Path) -> None:
    difference = _one(tmp_path, PASSES, "arguments: {files: {paths: [/elsewhere]}}\n")
    line = rehearsing.BLUEPRINT.splitlines().index('      args: {paths: ["{{ inputs.data }}"]}') + 1
    assert difference.hint == f"it is written as {{{{ inputs.data }}}} ({tmp_path}/shop.yaml:{line}:22)"


def test_a_run_that_waits_says_for_whom(tmp_path: Path) -> None:
    assert _one(tmp_path, "inputs: {check: false}\n", "status: succeeded\n").hint == "it waits for a person: release"


def test_warnings_are_compared_by_phase_and_part_of_their_message(tmp_path: Path) -> None:
    given = f"{PASSES}results: {{cleanup/freeze: {{error: {{message: the shop is stuck}}}}}}\n"
    assert _differences(tmp_path, given, "warnings: [{phase: cleanup/freeze, message: stuck}]\n") == ()
    difference = _one(tmp_path, given, "warnings: [{phase: cleanup/freeze, message: slow}]\n")
    assert difference.sides == Sides(expected=["cleanup/freeze: slow"], got=["cleanup/freeze: the shop is stuck"])


def test_a_result_that_was_not_used_is_a_difference(tmp_path: Path) -> None:
    difference = _one(tmp_path, f"{FAILS.strip()[:-1]}, release: {{outputs: {{}}}}}}\n", "status: failed\n")
    assert difference.message == "this result was not used: it was never started"
    assert difference.span.pointer == "/given/results/release"


def test_a_result_for_an_attempt_that_was_not_made_is_a_difference(tmp_path: Path) -> None:
    difference = _one(tmp_path, f"{PASSES}results: {{files: [{{}}, {{}}]}}\n", "status: succeeded\n")
    assert difference.message == "this result was not used: it had 1 attempt"
    assert difference.span.pointer == "/given/results/files/1"


def test_a_moment_that_never_came_is_a_difference(tmp_path: Path) -> None:
    difference = _one(tmp_path, f"{PASSES}crashes: [{{after: files, event: retrying}}]\n", "status: succeeded\n")
    assert difference.message == 'the moment for this never came: "files" did not wait for another attempt'


def test_a_person_that_nothing_asked_is_a_difference(tmp_path: Path) -> None:
    given = "cancel: {after: freeze}\napprovals: [release]\nsettle: {notify: rerun}\n"
    found = _differences(tmp_path, given, "status: cancelled\n")
    assert [(each.about, each.message) for each in found] == [
        ("release", "nobody was asked for this"),
        ("notify", "nobody was asked for this"),
    ]


def test_differences_come_in_the_order_of_the_document(tmp_path: Path) -> None:
    found = _differences(tmp_path, FAILS, "attempts: {files: 2}\nstatus: succeeded\nstates: {files: skipped}\n")
    assert [each.about for each in found] == ["attempts.files", "status", "states.files"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("approvals: [release]\nrestorePoint: [{error: {}}, {}]\n", "this result was not used: it took 1 attempt"),
        (
            "approvals: [release]\nrestorePoint: [{error: {kind: transient}}, {}, {}]\n",
            "this result was not used: it took 2 attempts",
        ),
        (
            "restorePoint: {error: {}}\nresults: {files: {error: {}}}\n",
            "this result was not used: no restore point was to be stored",
        ),
    ],
)
def test_a_result_of_storing_that_was_not_used_is_a_difference(tmp_path: Path, given: str, message: str) -> None:
    difference = _one(tmp_path, given, "warnings: []\n")
    assert (difference.about, difference.message) == ("restorePoint", message)
    assert difference.span.pointer.startswith("/given/restorePoint")
