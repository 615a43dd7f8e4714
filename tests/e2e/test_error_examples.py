"""The examples on the pages of errors are what the runner really prints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.base import codes

HEAD = "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: notify}\n"
PHASES = HEAD + "actions: {backup: {phases: [{name: notify, func: RunCommand, args: {command: [%s]}}]}}\n"


def _write(directory: Path, name: str, text: str) -> None:
    (directory / name).write_text(text, encoding="utf-8")


def _unknown_option(runner: Any, directory: Path) -> str:
    return str(runner("exec", "blueprint.yaml", "--acton", "backup", cwd=directory).err)


def _invalid_document(runner: Any, directory: Path) -> str:
    _write(directory, "blueprint.yaml", PHASES.replace("args", "arg").replace("func", "fun") % "true")
    error = json.loads(runner("exec", "-o", "json", "blueprint.yaml", cwd=directory).err)["error"]
    return f"error[{error['code']}]: {error['message']}\n"


def _missing_file(runner: Any, directory: Path) -> str:
    return str(runner("exec", "bluprint.yaml", cwd=directory).err)


def _taken_id(runner: Any, directory: Path) -> str:
    _write(directory, "blueprint.yaml", PHASES % '"true"')
    assert runner("exec", "blueprint.yaml", "--run-id", "20260301", cwd=directory).code == 0
    return str(runner("exec", "blueprint.yaml", "--run-id", "20260301", cwd=directory).err)


def _unknown_run(runner: Any, directory: Path) -> str:
    _write(directory, "blueprint.yaml", PHASES % '"true"')
    assert runner("exec", "blueprint.yaml", "--run-id", "7kq2m9xw", cwd=directory).code == 0
    return str(runner("show", "7kq2m9xv", cwd=directory).err)


def _kanister_document(runner: Any, directory: Path) -> str:
    head = "apiVersion: cr.kanister.io/v1alpha1\nkind: Blueprint\nmetadata: {name: mongodb}\n"
    _write(directory, "mongodb.yaml", head + "actions: {backup: {phases: [{name: dump, func: KubeTask, args: {}}]}}\n")
    return str(runner("exec", "mongodb.yaml", cwd=directory).err)


def _bad_configuration(runner: Any, directory: Path) -> str:
    _write(directory, "blueprint.yaml", PHASES % '"true"')
    _write(directory, "config.yaml", "locations: 3\n")
    return str(runner("--config", "config.yaml", "exec", "blueprint.yaml", "--location", "nas", cwd=directory).err)


def _ended_run(runner: Any, directory: Path) -> str:
    _write(directory, "blueprint.yaml", PHASES % '"true"')
    assert runner("exec", "blueprint.yaml", "--run-id", "7kq2m9xw", cwd=directory).code == 0
    return str(runner("resume", "7kq2m9xw", cwd=directory).err)


def _missing_path(runner: Any, directory: Path) -> str:
    _write(directory, "letter.txt", "dear reader")
    papers = PHASES.replace("name: notify, func: RunCommand", "name: papers, func: BackupFiles")
    _write(directory, "blueprint.yaml", papers.replace("command: [%s]", f"paths: [{directory}/letter.txt]"))
    run = json.loads(runner("exec", "-o", "json", "blueprint.yaml", cwd=directory).out)["run"]
    return str(runner("repository", "ls", run["restorePoints"][0]["id"], "paper", cwd=directory).err)


RECIPES: dict[str, Callable[[Any, Path], str]] = {
    "RT101": _unknown_option,
    "RT102": _invalid_document,
    "RT103": _missing_file,
    "RT104": _taken_id,
    "RT105": _unknown_run,
    "RT106": _kanister_document,
    "RT107": _bad_configuration,
    "RT212": _ended_run,
    "RT430": _missing_path,
}


@pytest.mark.parametrize("code", RECIPES)
def test_example_of_the_page_is_what_is_printed(runner: Any, tmp_path: Path, code: str) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "errors" / f"{code}.md").read_text(encoding="utf-8")
    found = re.search(r"^```text\n(.*?)^```", page, re.M | re.S)
    assert found is not None
    assert found[1] in RECIPES[code](runner, tmp_path)


def test_exit_code_is_that_of_the_table(runner: Any, tmp_path: Path) -> None:
    _kanister_document(runner, tmp_path)
    assert runner("exec", "mongodb.yaml", cwd=tmp_path).code == codes.exit_of("RT106")
