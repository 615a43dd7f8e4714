"""What a person at a terminal is asked, with a real process on a pseudo-terminal."""

from __future__ import annotations

from pathlib import Path

from runner.base import codes
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli import terminals
from tests.unit.cli.conftest import Cli

SECRET = "correct horse"
QUESTION = 'Value of the secret input "password" (Of the owner.):'


def test_a_missing_secret_is_asked_for_and_not_shown(tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.SECRET)
    code, shown = terminals.converse(tmp_path, [SECRET], "exec", "blueprint.yaml", "--progress", "plain")
    assert code == 0, shown
    assert (tmp_path / "got").read_text() == SECRET
    assert QUESTION in shown
    assert SECRET not in shown


def test_without_a_terminal_a_missing_secret_is_an_error(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.SECRET)
    answer = cli("exec", "blueprint.yaml")
    assert answer.code == codes.exit_of("KB510")
    assert 'error[KB510]: the input "password" is missing' in answer.err
