"""The examples on the pages of errors are what the runner really prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.base import codes
from tests.unit.cli.conftest import Cli

HEAD = "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: notify}\n"
PHASES = HEAD + "actions: {backup: {phases: [{name: notify, func: RunCommand, args: {command: [%s]}}]}}\n"


def _write(directory: Path, name: str, text: str) -> None:
    (directory / name).write_text(text, encoding="utf-8")


def _unknown_option(cli: Cli, directory: Path) -> str:
    return cli("exec", "blueprint.yaml", "--acton", "backup").err


def _invalid_document(cli: Cli, directory: Path) -> str:
    _write(directory, "blueprint.yaml", PHASES.replace("args", "arg").replace("func", "fun") % "true")
    error = cli("exec", "-o", "json", "blueprint.yaml").error
    return f"error[{error['code']}]: {error['message']}\n"


def _missing_file(cli: Cli, directory: Path) -> str:
    return cli("exec", "bluprint.yaml").err


def _taken_id(cli: Cli, directory: Path) -> str:
    _write(directory, "blueprint.yaml", PHASES % '"true"')
    assert cli("exec", "blueprint.yaml", "--run-id", "20260301").code == 0
    return cli("exec", "blueprint.yaml", "--run-id", "20260301").err


def _unknown_run(cli: Cli, directory: Path) -> str:
    _write(directory, "blueprint.yaml", PHASES % '"true"')
    assert cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw").code == 0
    return cli("show", "7kq2m9xv").err


def _kanister_document(cli: Cli, directory: Path) -> str:
    head = "apiVersion: cr.kanister.io/v1alpha1\nkind: Blueprint\nmetadata: {name: mongodb}\n"
    _write(directory, "mongodb.yaml", head + "actions: {backup: {phases: [{name: dump, func: KubeTask, args: {}}]}}\n")
    return cli("exec", "mongodb.yaml").err


def _bad_configuration(cli: Cli, directory: Path) -> str:
    _write(directory, "blueprint.yaml", PHASES % '"true"')
    _write(directory, "config.yaml", "locations: 3\n")
    return cli("--config", "config.yaml", "exec", "blueprint.yaml", "--location", "nas").err


def _ended_run(cli: Cli, directory: Path) -> str:
    _write(directory, "blueprint.yaml", PHASES % '"true"')
    assert cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw").code == 0
    return cli("resume", "7kq2m9xw").err


def _missing_path(cli: Cli, directory: Path) -> str:
    _write(directory, "letter.txt", "dear reader")
    papers = PHASES.replace("name: notify, func: RunCommand", "name: papers, func: BackupFiles")
    _write(directory, "blueprint.yaml", papers.replace("command: [%s]", f"paths: [{directory}/letter.txt]"))
    run = cli("exec", "-o", "json", "blueprint.yaml").json["run"]
    return cli("repository", "ls", run["restorePoints"][0]["id"], "paper").err


RECIPES: dict[str, Callable[[Cli, Path], str]] = {
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
def test_example_of_the_page_is_what_is_printed(cli: Cli, tmp_path: Path, code: str) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "errors" / f"{code}.md").read_text(encoding="utf-8")
    found = re.search(r"^```text\n(.*?)^```", page, re.M | re.S)
    assert found is not None
    assert found[1] in RECIPES[code](cli, tmp_path)


def test_exit_code_is_that_of_the_table(cli: Cli, tmp_path: Path) -> None:
    _kanister_document(cli, tmp_path)
    assert cli("exec", "mongodb.yaml").code == codes.exit_of("RT106")
