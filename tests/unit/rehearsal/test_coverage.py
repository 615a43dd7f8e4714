"""Which ways through a blueprint rehearsals take."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.app import rehearsals
from tests.unit.rehearsal import rehearsing

ALWAYS = {
    "freeze runs", "snapshot runs", "files runs", "notify runs", "cleanup/freeze runs",
}  # fmt: skip


def _taken(place: Path, given: str, *, approve: bool = True) -> set[str]:
    outcome = rehearsing.given(place, given, approve=approve)
    (covered,) = rehearsals.covered([outcome])
    return {str(way) for way in covered.reached}


def test_all_ways_through_a_blueprint_are_known(tmp_path: Path) -> None:
    (covered,) = rehearsals.covered([rehearsing.given(tmp_path)])
    assert [str(way) for way in covered.ways if way.action == "backup"] == [
        "freeze runs", "freeze is tried again", "freeze fails in its last attempt", "cleanup/freeze runs",
        "snapshot runs", "snapshot has no item", "snapshot has one item", "snapshot has several items",
        "revert/snapshot runs",
        "files runs",
        "notify runs", "notify fails, which is tolerated",
        "enough runs", "enough is allowed by `when`", "enough is skipped by `when`",
        "release runs",
        "defer runs after success", "defer runs after a failure",
    ]  # fmt: skip


def test_a_run_that_succeeds_takes_the_way_forward(tmp_path: Path) -> None:
    assert _taken(tmp_path, "") == ALWAYS | {
        "snapshot has several items", "enough runs", "enough is allowed by `when`", "release runs",
        "defer runs after success",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "way"),
    [
        ("results: {freeze: [{error: {kind: transient}}, {}]}\n", "freeze is tried again"),
        ("results: {freeze: {error: {kind: transient}}}\n", "freeze fails in its last attempt"),
        ("inputs: {volumes: []}\n", "snapshot has no item"),
        ("inputs: {volumes: [one]}\n", "snapshot has one item"),
        ("results: {notify: {error: {}}}\n", "notify fails, which is tolerated"),
        ("inputs: {check: false}\n", "enough is skipped by `when`"),
        ("results: {files: {error: {}}}\n", "revert/snapshot runs"),
        ("results: {files: {error: {}}}\n", "defer runs after a failure"),
        ("approvals: [release]\nrestorePoint: {error: {}}\n", "revert/snapshot runs"),
        ("approvals: [release]\nrestorePoint: {error: {}}\n", "defer runs after a failure"),
    ],
)
def test_each_way_is_taken_by_the_run_that_takes_it(tmp_path: Path, given: str, way: str) -> None:
    assert way in _taken(tmp_path, given, approve=False)
    assert way not in _taken(tmp_path, "")


def test_a_failure_that_is_not_tried_again_does_not_exhaust_the_retries(tmp_path: Path) -> None:
    taken = _taken(tmp_path, "results: {freeze: {error: {kind: permanent}}}\n", approve=False)
    assert not {"freeze is tried again", "freeze fails in its last attempt"} & taken


def test_ways_of_all_rehearsals_of_a_blueprint_add_up(tmp_path: Path) -> None:
    outcomes = [rehearsing.given(tmp_path), rehearsing.given(tmp_path, "inputs: {check: false}\n")]
    (covered,) = rehearsals.covered(outcomes)
    assert {"enough is allowed by `when`", "enough is skipped by `when`"} <= {str(way) for way in covered.reached}


def test_percentage_is_rounded_down(tmp_path: Path) -> None:
    (covered,) = rehearsals.covered([rehearsing.given(tmp_path)])
    assert (len(covered.reached), len(covered.ways), covered.percent) == (10, 19, 52)
