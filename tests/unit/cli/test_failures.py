"""What is said of a phase that failed."""

from __future__ import annotations

import stat
from pathlib import Path

from runner.base import codes
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli

TOO_DEEP = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {name: settings}
actions:
  backup:
    inputs:
      server: {type: object, default: {host: here}}
    phases:
    - name: ask
      func: RunCommand
      args:
        command: [echo, "{{ inputs.server.port }}"]
"""


def test_a_template_that_fails_at_run_time_is_shown_with_its_place(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, TOO_DEEP)
    answer = cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw")
    assert answer.code == codes.Exit.FAILED
    assert "error[KB404]: inputs.server.port is not defined\n  at: blueprint.yaml:12:25\n  phase: ask\n" in answer.err
    assert "  at: blueprint.yaml:12:25\n" in cli("show", "7kq2m9xw").out


def test_the_log_of_a_run_is_private(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw")
    assert stat.S_IMODE((state_dir / "runs" / "7kq2m9xw" / "log.jsonl").stat().st_mode) == 0o600
