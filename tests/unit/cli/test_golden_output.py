"""What commands print for people, word for word, with times, ids and paths made equal."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.conftest import Golden
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli import sample_rehearsals as rehearsals
from tests.unit.cli.conftest import Cli

GOLDEN = Path(__file__).parents[2] / "golden" / "cli"
RUN = "7kq2m9xw"
Told: TypeAlias = Callable[..., None]


ID = "[0-9a-hjkmnp-tv-z]"
WORDS = "estore point:? |--from |restore-points (?:show|restore) |^✓ |^"
POINT = re.compile(rf"(?m)({WORDS})({ID}{{16}}|{ID}{{8}})(?= |$|,)")


def normal(text: str, directory: Path) -> str:
    """Replace what differs from run to run by something of the same width, where columns depend on it."""
    text = text.replace(str(directory), "DIR")
    text = re.sub(r"(<br>|· )\d+(\.\d)? s\b", r"\g<1>0.0 s", text)
    text = re.sub(r" +\d+(\.\d)? s\b", lambda match: " 0.0 s".rjust(len(match[0])), text)
    text = re.sub(r" +\d+ ms\b", " 0 ms", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-01-01 00:00 UTC", text)
    text = re.sub(r"\b\d+(?= B\b)", "999", text)
    text = re.sub(r"\d\.\d KiB verified", "1.0 KiB verified", text)
    text = re.sub(rf"\b{ID}{{26}}\b", "e" * 26, text)
    return POINT.sub(lambda match: match[1] + (match[2] if match[2] in (RUN, "aaaaaaaa") else "p" * 8), text)


@pytest.fixture
def told(cli: Cli, tmp_path: Path, golden: Golden) -> Told:
    """Compare the answer of a command line with its golden file."""

    def compare(name: str, *arguments: str) -> None:
        answer = cli(*arguments)
        shown = f"$ runner {' '.join(arguments)}\n{answer.out}"
        shown += f"--- standard error\n{answer.err}" if answer.err else ""
        golden(GOLDEN / f"{name}.txt", normal(f"{shown}--- exit {answer.code}\n", tmp_path))

    return compare


def test_help(told: Told) -> None:
    told("help", "--help")


@pytest.mark.parametrize(
    "command",
    ["exec", "plan", "render", "show", "explain", "validate", "test", "resume", "restore-points", "repository"],
)
def test_help_of_commands(command: str, told: Told) -> None:
    told(f"help-{command}", command, "--help")


def test_a_new_blueprint(told: Told) -> None:
    told("help-new-blueprint", "new", "blueprint", "--help")
    told("new-blueprint", "new", "blueprint", "notes", "--kind", "files", "--set", "directory=/srv/notes")


def test_backup_restore_and_what_they_leave(told: Told, cli: Cli, tmp_path: Path) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    told("validate", "validate", "blueprint.yaml")
    told("plan", "plan", "blueprint.yaml", "--set", "source=/srv/papers")
    told("backup", "exec", "blueprint.yaml", "--run-id", RUN)
    told("restore", "exec", "blueprint.yaml", "--action", "restore", "--run-id", "aaaaaaaa")
    told("restore-dry-run", "exec", "blueprint.yaml", "--action", "restore", "--dry-run", "--set", "target=/srv/back")
    told("runs", "runs")
    told("show", "show", RUN)
    told("restore-points-list", "restore-points", "list")
    told("restore-points-show", "restore-points", "show", cli("restore-points", "list", "-o", "json").rows[0]["id"])
    told("restore-points-verify", "restore-points", "verify")
    told("repository-check", "repository", "check")


def test_failure(told: Told, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    told("failed", "exec", "blueprint.yaml", "--run-id", RUN)
    told("failed-show", "show", RUN)


def test_the_graph_of_a_run(told: Told, tmp_path: Path, cli: Cli) -> None:
    blueprints.write(tmp_path, blueprints.DIVIDED)
    assert cli("exec", "blueprint.yaml", "--run-id", RUN).code == 1
    told("show-graph", "show", RUN, "--graph")
    told("show-graph-mermaid", "show", RUN, "--format", "mermaid")


def test_waiting(told: Told, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.WAITING)
    told("waiting", "exec", "blueprint.yaml", "--run-id", RUN)
    told("cancelled", "cancel", RUN)


def test_rehearsals(told: Told, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    rehearsals.write(tmp_path, rehearsals.PASSES, "passes")
    told("rehearsals-pass", "test", "--coverage")
    rehearsals.write(tmp_path, rehearsals.DIFFERS, "differs")
    told("rehearsals-differ", "test")
    rehearsals.write(tmp_path, rehearsals.INVALID, "invalid")
    told("rehearsals-invalid", "test")
    told("rehearsals-validate", "validate", ".")


def test_explain(told: Told) -> None:
    told("explain-function", "explain", "Pause")
    told("explain-function-in-other-case", "explain", "pAuse")
    told("explain-code", "explain", "rt105")
    told("explain-key", "explain", "phase.foreach")
    told("explain-filter", "explain", "pluck")
    told("explain-several", "explain", "timeout")
    told("explain-unknown", "explain", "forech")


def test_findings_in_each_form(told: Told, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FILES.replace("BackupFiles", "BackupFile"))
    told("findings-text", "validate", "blueprint.yaml")
    told("findings-json", "validate", "blueprint.yaml", "--format", "json")
    told("findings-github", "validate", "blueprint.yaml", "--format", "github")


def test_instances_skipped_phases_and_tolerated_failures(told: Told, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.MANY)
    told("many", "exec", "blueprint.yaml", "--run-id", RUN)
    told("many-show", "show", RUN)
