"""Commands that a message tells to run next can be run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli

WAITING = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {name: waiting}
actions:
  backup:
    phases:
    - {name: ask, func: Approve, args: {message: Go on?}}
"""


def commands(text: str) -> list[list[str]]:
    """Return the arguments of the commands that a text names."""
    return [shlex.split(found)[1:] for found in re.findall(r"\brunner [^`\n]+", text)]


def test_commands_on_runs_name_the_state_directory_that_was_given(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, WAITING)
    elsewhere = str(tmp_path / "else where")
    waiting = cli("--state-dir", elsewhere, "exec", "blueprint.yaml", "--run-id", "b0000001")
    assert waiting.code == 6
    shown = cli("--state-dir", elsewhere, "show", "b0000001")
    ((approve,), (again,)) = commands(waiting.err), commands(shown.out)
    assert approve == again == ["--state-dir", elsewhere, "approve", "b0000001", "ask"]

    assert cli(*approve).code == 0
    ended = cli("--state-dir", elsewhere, "resume", "b0000001")
    (show,) = commands(ended.err)
    assert cli(*show).code == 0


def test_commands_on_runs_of_the_usual_state_directory_stay_short(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, WAITING)
    waiting = cli("exec", "blueprint.yaml", "--run-id", "b0000001")
    assert commands(waiting.err) == [["approve", "b0000001", "ask"]]
