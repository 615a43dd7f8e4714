"""What is said of a phase that failed."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path

import pytest

from runner.base import codes
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli

TOO_DEEP = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {name: deep}
actions:
  backup:
    phases:
    - name: tell
      func: RunCommand
      args: {script: 'echo "server={}" >> "$RUNNER_OUTPUT_FILE"'}
      outputs: {server: {type: object}}
    - name: ask
      func: RunCommand
      args:
        command: [ask, "{{ phases.tell.outputs.server.port }}"]
"""


def test_a_template_that_fails_at_run_time_is_shown_with_its_place(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, TOO_DEEP)
    answer = cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw")
    assert answer.code == codes.Exit.FAILED
    assert (
        "error[KB404]: phases.tell.outputs.server.port is not defined\n  at: blueprint.yaml:14:24\n  phase: ask\n"
        in answer.err
    )
    assert "  at: blueprint.yaml:14:24\n" in cli("show", "7kq2m9xw").out


def test_the_log_of_a_run_is_private(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw")
    assert stat.S_IMODE((state_dir / "runs" / "7kq2m9xw" / "log.jsonl").stat().st_mode) == 0o600


@pytest.fixture
def elsewhere(cli: Cli, tmp_path: Path) -> tuple[str, ...]:
    """Back up into a repository whose path holds a space; return the options that name it."""
    (tmp_path / "secret").write_text("secret\n")
    where = ("--location", f"{tmp_path}/the backups", "--passphrase-file", f"{tmp_path}/secret")
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    assert cli("repository", "init", *where).code == 0
    assert cli("exec", "blueprint.yaml", *where).code == 0
    return where


def test_commands_in_hints_are_for_the_location_that_was_given(
    elsewhere: tuple[str, ...], cli: Cli, tmp_path: Path
) -> None:
    there = f"--location '{tmp_path}/the backups'`"
    answer = cli("restore-points", "show", "aaaa", *elsewhere)
    assert f"  hint: list them with `runner restore-points list {there}\n" in answer.err
    answer = cli("restore-points", "show", "aaaa", *elsewhere, "-o", "json")
    assert answer.error["hint"].endswith(there)
    assert cli("restore-points", "show", "aaaa").err.endswith(
        "run a backup first, or name a location with --location\n"
    )


def test_the_command_that_restores_is_for_the_location_that_was_given(elsewhere: tuple[str, ...], cli: Cli) -> None:
    point = cli("restore-points", "list", *elsewhere, "-o", "json").rows[0]["id"]
    command = cli("restore-points", "show", point, *elsewhere).out.splitlines()[-1].partition("runner ")[2]
    assert cli(*shlex.split(command), *elsewhere[2:], "--dry-run").code == 0


def test_without_a_location_commands_in_hints_are_left_as_they_are(cli: Cli, tmp_path: Path) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    assert cli("exec", "blueprint.yaml").code == 0
    assert cli("restore-points", "show", "aaaa").err.endswith("list them with `runner restore-points list`\n")
