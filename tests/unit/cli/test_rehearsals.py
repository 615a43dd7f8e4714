"""`runner test`: what is performed, what it exits with, and what it prints as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.base import codes
from runner.cli import rehearsing
from runner.rehearsal.sides import ABSENT, Sides
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli import sample_rehearsals as rehearsals
from tests.unit.cli.conftest import Cli


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """A directory with a blueprint and a rehearsal that passes."""
    blueprints.write(tmp_path, blueprints.FAILING)
    return rehearsals.write(tmp_path, rehearsals.PASSES, "passes")


def test_rehearsals_that_pass_exit_with_0(cli: Cli, failing: Path) -> None:
    answer = cli("test")
    assert answer.code == codes.Exit.OK
    assert answer.out.startswith("✓ passes.rehearsal.yaml ")
    assert answer.err.startswith("1 rehearsal passed, in ")


def test_a_rehearsal_that_differs_exits_with_1(cli: Cli, failing: Path, tmp_path: Path) -> None:
    rehearsals.write(tmp_path, rehearsals.DIFFERS, "differs")
    assert cli("test").code == codes.Exit.FAILED


def test_an_invalid_rehearsal_exits_with_3_and_does_not_keep_others_from_being_performed(
    cli: Cli, failing: Path, tmp_path: Path
) -> None:
    rehearsals.write(tmp_path, rehearsals.INVALID, "invalid")
    answer = cli("test")
    assert answer.code == codes.Exit.INVALID
    assert "✓ passes" in answer.out
    assert "invalid.rehearsal.yaml:12:11: error[KB204]" in answer.err
    assert "1 rehearsal passed, 1 document invalid" in answer.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere cannot be read"),
        (["empty"], "empty holds no rehearsal"),
        (["-k", "nothing"], 'no rehearsal has "nothing" in its name or path'),
        (["--fail-under", "101"], "101"),
    ],
)
def test_what_cannot_be_meant_exits_with_2(
    cli: Cli, failing: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    answer = cli("test", *arguments)
    assert answer.code == codes.Exit.USAGE
    assert said in answer.err


def test_a_file_of_any_name_can_be_given(cli: Cli, failing: Path, tmp_path: Path) -> None:
    other = failing.rename(tmp_path / "other.yaml")
    assert cli("test", other).code == codes.Exit.OK


@pytest.mark.parametrize("word", ["disk burns", "DIFFERS", "fers.rehearsal"])
def test_a_word_chooses_by_name_and_path_whatever_its_case(cli: Cli, failing: Path, tmp_path: Path, word: str) -> None:
    rehearsals.write(tmp_path, rehearsals.DIFFERS, "differs")
    (row,) = cli("test", "-k", word, "-o", "json").json["rehearsals"]
    assert row["name"] == "the disk burns"


def test_differences_are_data_too(cli: Cli, failing: Path, tmp_path: Path) -> None:
    rehearsals.write(tmp_path, rehearsals.DIFFERS, "differs")
    differs, passes = cli("test", "-o", "json").json["rehearsals"]
    assert (differs["status"], passes["status"]) == ("differs", "passed")
    assert (passes["differences"], passes["findings"]) == ([], [])
    status = next(each for each in differs["differences"] if each["about"] == "status")
    assert (status["expected"], status["got"]) == ("succeeded", "failed")
    assert (status["position"]["line"], status["position"]["pointer"]) == (12, "/expect/status")
    assert status["hint"] == "dump failed: error[RT206]: the disk is on fire"


def test_findings_are_data_too(cli: Cli, failing: Path, tmp_path: Path) -> None:
    rehearsals.write(tmp_path, rehearsals.INVALID.replace("faild", "failed"), "invalid")
    row = cli("test", "-k", "invalid", "-o", "json").json["rehearsals"][0]
    assert row["status"] == "invalid"
    assert {each["code"] for each in row["findings"]} == {"KB310", "KB312", "KB511"}


def test_coverage_is_data_too(cli: Cli, failing: Path) -> None:
    assert cli("test", "-o", "json").json["coverage"] is None
    (covered,) = cli("test", "--coverage", "-o", "json").json["coverage"]
    missing = [f"{way['node']} {way['way']}" for way in covered["ways"] if not way["reached"]]
    assert (covered["percent"], missing) == (80, ["after runs"])


@pytest.mark.parametrize(("percent", "code"), [(80, codes.Exit.OK), (81, codes.Exit.FAILED)])
def test_too_little_coverage_fails(cli: Cli, failing: Path, percent: int, code: codes.Exit) -> None:
    answer = cli("test", "--fail-under", percent)
    assert (answer.code, "Coverage of blueprint.yaml: 4 of 5, 80 %" in answer.out) == (code, True)


def test_a_blueprint_without_rehearsals_is_not_covered(cli: Cli, failing: Path, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FILES, "papers.yaml")
    (tmp_path / ".hidden").mkdir()
    blueprints.write(tmp_path / ".hidden", blueprints.WAITING)
    answer = cli("test", "--coverage", "-o", "json")
    assert [(each["blueprint"], each["percent"]) for each in answer.json["coverage"]] == [
        ("blueprint.yaml", 80),
        ("papers.yaml", 0),
    ]


def test_nothing_is_left_behind(cli: Cli, failing: Path, tmp_path: Path, state_dir: Path) -> None:
    assert cli("test").code == codes.Exit.OK
    assert not state_dir.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"blueprint.yaml", "passes.rehearsal.yaml"}


@pytest.mark.parametrize("form", ["text", "json", "yaml"])
@pytest.mark.parametrize("spoil", [("", ""), ("status: succeeded", "status: succeded")])
def test_secrets_are_never_shown(cli: Cli, tmp_path: Path, form: str, spoil: tuple[str, str]) -> None:
    blueprints.write(tmp_path, rehearsals.SECRET_BLUEPRINT)
    rehearsals.write(tmp_path, rehearsals.SECRET.replace(*spoil), "secret")
    answer = cli("test", "--coverage", "-o", form)
    said = answer.out + answer.err
    assert answer.code in (codes.Exit.FAILED, codes.Exit.INVALID)
    assert "secret.rehearsal.yaml" in said
    assert "correct-horse" not in said
    assert "battery-staple" not in said


def test_equal_lines_far_from_a_difference_are_left_out() -> None:
    expected, got = list("abcdefghij"), list("abcdefghiX")
    assert list(rehearsing.diff(Sides(expected=expected, got=got))) == ["  h", "  i", "- j", "+ X"]


def test_texts_of_several_lines_are_compared_by_line() -> None:
    sides = Sides(expected="SELECT 1;\nSELECT 2;", got="SELECT 1;\nSELECT 3;")
    assert list(rehearsing.diff(sides)) == ["  SELECT 1;", "- SELECT 2;", "+ SELECT 3;"]


def test_what_is_not_there_is_said_to_be_nothing() -> None:
    assert list(rehearsing.diff(Sides(expected=[], got=ABSENT))) == ["- (an empty list)", "+ (nothing)"]
