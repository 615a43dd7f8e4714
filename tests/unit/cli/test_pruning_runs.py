"""Pruning beside runs that have exported something and wait for a person."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.base import codes
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli

RUN = "7kq2m9xw"
MONTH_S = 31 * 86_400


@pytest.fixture
def marks(cli: Cli, tmp_path: Path, state_dir: Path) -> Path:
    """Start a run that has exported and waits for an approval; return where its exports are marked."""
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.GATED)
    assert cli("exec", "blueprint.yaml", "--run-id", RUN).code == codes.Exit.WAITING
    return state_dir / "repository" / "gc" / "pending"


def prune(cli: Cli) -> tuple[int, int]:
    """Prune what is not needed, however young; return how many exports were kept and removed."""
    result = cli("repository", "prune", "--unfinished", "0s", "-o", "json").json
    return result["exportsKept"], result["exportsRemoved"]


def test_pruning_keeps_what_a_run_has_exported_that_waits(marks: Path, cli: Cli) -> None:
    assert prune(cli) == (1, 0)
    assert cli("approve", RUN, "gate").code == 0
    assert cli("restore-points", "verify").code == 0
    assert list(marks.iterdir()) == []


def test_a_run_whose_exports_are_gone_fails_and_stores_no_restore_point(marks: Path, cli: Cli) -> None:
    for mark in marks.iterdir():
        os.utime(mark, (0, mark.stat().st_mtime - MONTH_S))
    assert prune(cli) == (0, 1)
    answer = cli("approve", RUN, "gate")
    assert answer.code == codes.exit_of("RT417") == 1
    assert "error[RT417]: what this run exported is gone from the repository" in answer.err
    assert cli("restore-points", "list", "-o", "json").rows == []


def test_a_run_that_fails_leaves_its_exports_to_pruning(cli: Cli, tmp_path: Path) -> None:
    blueprints.papers(tmp_path)
    failing = blueprints.GATED.replace("func: Approve", "func: RunCommand")
    blueprints.write(tmp_path, failing.replace("{message: go on?}", '{script: "false"}'))
    assert cli("exec", "blueprint.yaml").code == 1
    assert prune(cli) == (0, 1)


def test_a_run_that_is_cancelled_while_it_waits_leaves_its_exports_to_pruning(marks: Path, cli: Cli) -> None:
    assert len(list(marks.iterdir())) == 1
    answer = cli("cancel", RUN)
    assert answer.code == 0
    assert "warning" not in answer.err
    assert list(marks.iterdir()) == []
    assert prune(cli) == (0, 1)


def test_a_run_that_fails_after_it_has_waited_leaves_its_exports_to_pruning(
    cli: Cli, tmp_path: Path, state_dir: Path
) -> None:
    blueprints.papers(tmp_path)
    failing = '    - name: after\n      func: RunCommand\n      args: {script: "false"}\n'
    blueprints.write(tmp_path, blueprints.GATED + failing)
    assert cli("exec", "blueprint.yaml", "--run-id", RUN).code == codes.Exit.WAITING
    assert cli("approve", RUN, "gate").code == 1
    assert list((state_dir / "repository/gc/pending").iterdir()) == []
    assert prune(cli) == (0, 1)


@pytest.mark.parametrize("shape", ["text", "json"])
def test_a_run_is_cancelled_though_its_repository_cannot_be_opened(
    shape: str, marks: Path, cli: Cli, state_dir: Path
) -> None:
    key = state_dir / "repository.key"
    secret = key.read_text()
    key.unlink()
    answer = cli("cancel", RUN, "-o", shape)
    assert answer.code == 0
    assert answer.err.count(f"warning: run {RUN} has ended, but its repository could not be told: ") == 1
    assert "kept from pruning for up to 30 days" in answer.err
    assert cli("show", RUN, "-o", "json").json["run"]["status"] == "cancelled"
    key.write_text(secret)
    assert prune(cli) == (1, 0)


def test_a_run_that_never_exported_has_nothing_to_tell_a_repository(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    assert cli("exec", "blueprint.yaml").code == 0
    phases = blueprints.GATED.partition("    phases:\n")[2]
    files, _, gate = phases.partition("    - name: gate")
    text = blueprints.GATED.replace(phases, f"    - name: gate{gate}{files}").replace("go on?}", "go on?}", 1)
    blueprints.write(tmp_path, text)
    assert cli("exec", "blueprint.yaml", "--run-id", RUN).code == codes.Exit.WAITING
    (state_dir / "repository.key").unlink()
    answer = cli("cancel", RUN)
    assert answer.code == 0
    assert "warning" not in answer.err
