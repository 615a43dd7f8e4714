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
