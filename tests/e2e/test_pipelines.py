"""The hook for pre-commit and the action for GitHub call what exists, and do what they promise."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.base import codes

TOP = Path(__file__).resolve().parents[2]
HEAD = "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: notes}\n"
RIGHT = HEAD + "actions: {backup: {phases: [{name: copy, func: BackupFiles, args: {paths: [/srv/notes]}}]}}\n"
WRONG = RIGHT.replace("paths", "path")
WARNS = RIGHT.replace("{phases", "{inputs: {unused: {}}, phases")


def _read(name: str) -> Any:
    return yaml.safe_load((TOP / name).read_text(encoding="utf-8"))


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    for name, text in {"blueprint.yaml": RIGHT, "wrong.yaml": WRONG, "warns.yaml": WARNS}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("file", "code"), [("blueprint.yaml", codes.Exit.OK), ("wrong.yaml", codes.Exit.INVALID)])
def test_the_entry_of_the_hook_checks_the_files_it_is_given(runner: Any, documents: Path, file: str, code: int) -> None:
    (hook,) = _read(".pre-commit-hooks.yaml")
    program, *arguments = shlex.split(hook["entry"])
    assert (hook["id"], hook["language"], program) == ("runner-validate", "python", "runner")
    assert runner(*arguments, file, cwd=documents).code == code


@pytest.mark.parametrize(
    ("path", "is_checked"),
    [
        ("blueprint.yaml", True),
        ("deep/blueprint.yml", True),
        ("blueprint-postgresql.yaml", True),
        ("blueprints/shop/backup.yaml", True),
        ("compose.yaml", False),
        ("blueprint.yaml.orig", False),
        ("notblueprint.yaml", False),
    ],
)
def test_the_hook_looks_at_blueprints_only(path: str, *, is_checked: bool) -> None:
    (hook,) = _read(".pre-commit-hooks.yaml")
    assert bool(re.search(hook["files"], path)) == is_checked


def test_the_action_is_of_the_form_that_github_asks_for() -> None:
    action = _read("action.yml")
    assert action["runs"]["using"] == "composite"
    assert all(each["description"] and "default" in each for each in action["inputs"].values())
    used = set(re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", (TOP / "action.yml").read_text(encoding="utf-8")))
    assert used == set(action["inputs"])
    for step in action["runs"]["steps"]:
        assert ("uses" in step) != ("run" in step and step["shell"] == "bash")
        assert "${{" not in step.get("run", ""), "what a person writes goes through the environment"


def _act(documents: Path, paths: str, strict: str) -> subprocess.CompletedProcess[str]:
    """Run the last step of the action as GitHub does."""
    script = _read("action.yml")["runs"]["steps"][-1]["run"]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(documents),
        "PATHS": paths,
        "STRICT": strict,
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=documents,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("paths", "strict", "code", "last"),
    [
        ("blueprint.yaml", "false", 0, "::notice title=runner validate::1 document valid"),
        ("blueprint.yaml warns.yaml", "false", 0, "::notice title=runner validate::2 documents valid, 1 warning"),
        ("warns.yaml", "true", 3, "::error title=runner validate::1 document checked: 1 warning"),
        (".", "false", 3, "::error title=runner validate::3 documents checked, 1 with errors: 2 errors, 1 warning"),
    ],
)
def test_the_action_annotates_and_ends_with_the_summary(
    documents: Path, paths: str, strict: str, code: int, last: str
) -> None:
    done = _act(documents, paths, strict)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (code, [last]), done.stderr


@pytest.mark.server("pre-commit")
@pytest.mark.timeout(600)
def test_pre_commit_runs_the_hook(tmp_path: Path) -> None:
    if importlib.util.find_spec("pre_commit") is None:
        pytest.skip("pre-commit is not installed: pip install pre-commit")
    place = tmp_path / "shop"
    place.mkdir()
    (place / "blueprint.yaml").write_text(WRONG, encoding="utf-8")
    (place / "compose.yaml").write_text("services: {}\n", encoding="utf-8")
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    subprocess.run(["git", "init", "-q", str(place)], check=True)
    subprocess.run(["git", "add", "-A"], cwd=place, check=True)
    call = [sys.executable, "-m", "pre_commit", "try-repo", str(TOP), "runner-validate", "--all-files", "--verbose"]
    done = subprocess.run(call, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "blueprint.yaml:4:" in done.stdout
    assert "compose.yaml" not in done.stdout
