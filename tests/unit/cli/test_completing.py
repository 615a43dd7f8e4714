"""Candidates for the shell: what a person can go on with, and silence where nothing can be told."""

from __future__ import annotations

from pathlib import Path

import pytest
from click import shell_completion

from runner.cli import main
from tests.unit.cli import sample_blueprints as blueprints


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory with a blueprint; return it."""
    monkeypatch.chdir(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    blueprints.write(tmp_path, "[", "broken.yaml")
    return tmp_path


def candidates(*words: str) -> list[str]:
    """Return what completion offers for the last word of a command line."""
    complete = shell_completion.ShellComplete(main.program, {}, "runner", "_RUNNER_COMPLETE")
    return [found.value for found in complete.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("plan", "blueprint.yaml", "--action", ""), ["backup", "restore", "forget"]),
        (("exec", "blueprint.yaml", "--action", "re"), ["restore"]),
        (("render", "blueprint.yaml", ""), ["files", "nothing"]),
        (("render", "blueprint.yaml", "--action", "forget", ""), ["nothing"]),
        (("plan", "broken.yaml", "--action", ""), []),
        (("plan", "missing.yaml", "--action", ""), []),
        (("plan", "blueprint.yaml", "--format", "s"), ["svg"]),
        (("explain", "phase.fore"), ["phase.foreach"]),
        (("explain", "regexm"), ["regexMatch"]),
        (("explain", "backupf"), ["BackupFiles"]),
        (("new", "blueprint", "x", "--kind", "maria"), ["mariadb"]),
        (("new", "blueprint", "x", "--kind", "sqlite", "--set", ""), ["database=", "target="]),
    ],
)
def test_completion_offers(words: tuple[str, ...], expected: list[str]) -> None:
    assert candidates(*words) == expected
