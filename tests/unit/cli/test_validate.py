"""What `runner validate` tells a person and a pipeline, besides the findings themselves."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from runner.base import codes

HEAD = "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: notes}\nactions:\n  backup:\n"
PHASES = '    phases:\n    - {name: dump, func: RunCommand, args: {command: ["true"]}}\n'
RIGHT = HEAD + PHASES
WARNS = HEAD + "    inputs: {unused: {type: string, default: a}}\n" + PHASES
WRONG = HEAD + PHASES.replace("RunCommand", "RunComand")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    for name, text in {"right": RIGHT, "warns": WARNS, "wrong": WRONG}.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("files", "code", "summary"),
    [
        (["right.yaml"], codes.Exit.OK, "1 document valid"),
        (["warns.yaml"], codes.Exit.OK, "1 document valid, 1 warning"),
        (["wrong.yaml"], codes.Exit.INVALID, "1 document checked: 1 error"),
        (["."], codes.Exit.INVALID, "3 documents checked, 1 with errors: 1 error, 1 warning"),
    ],
)
def test_the_summary_counts_documents_errors_and_warnings(
    cli: Any, documents: Path, files: list[str], code: int, summary: str
) -> None:
    answer = cli("validate", *files)
    assert (answer.code, answer.err) == (code, f"{summary}\n")


def test_warnings_fail_only_where_it_is_strict(cli: Any, documents: Path) -> None:
    assert cli("validate", "warns.yaml").code == codes.Exit.OK
    assert cli("validate", "warns.yaml", "--strict").code == codes.Exit.INVALID
    assert cli("validate", "right.yaml", "--strict").code == codes.Exit.OK


@pytest.mark.parametrize(
    ("file", "options", "line"),
    [
        ("right.yaml", (), "::notice title=runner validate::1 document valid"),
        ("warns.yaml", (), "::notice title=runner validate::1 document valid, 1 warning"),
        ("warns.yaml", ("--strict",), "::error title=runner validate::1 document checked: 1 warning"),
        ("wrong.yaml", (), "::error title=runner validate::1 document checked: 1 error"),
    ],
)
def test_annotations_for_github_end_with_the_summary(
    cli: Any, documents: Path, file: str, options: tuple[str, ...], line: str
) -> None:
    assert cli("validate", file, "--format", "github", *options).out.splitlines()[-1] == line


def test_many_findings_are_cut_off_and_counted_by_code(cli: Any, tmp_path: Path) -> None:
    phases = [f"    - {{name: p{number}, func: RunComand}}\n" for number in range(60)]
    (tmp_path / "many.yaml").write_text(
        HEAD + "    inputs: {unused: {}}\n    phases:\n" + "".join(phases), encoding="utf-8"
    )
    answer = cli("validate", "many.yaml")
    assert answer.out.count("error[KB501]") + answer.out.count("warning[KB317]") == 50
    assert answer.out.endswith("… and 11 more\n")
    assert answer.err.splitlines() == [
        "1 document checked: 60 errors, 1 warning",
        "     60 × KB501  The function is unknown",
        "      1 × KB317  An input is never read",
    ]


def test_hidden_directories_are_searched_only_when_they_are_named(cli: Any, tmp_path: Path) -> None:
    (tmp_path / ".hidden/deep").mkdir(parents=True)
    (tmp_path / ".hidden/deep/wrong.yaml").write_text(WRONG, encoding="utf-8")
    (tmp_path / "right.yaml").write_text(RIGHT, encoding="utf-8")
    assert cli("validate", ".").err == "1 document valid\n"
    assert cli("validate", ".hidden").code == codes.Exit.INVALID


@pytest.mark.parametrize("command", ["validate", "test"])
def test_a_file_on_a_share_whose_server_is_away_cannot_be_read(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    place, real = tmp_path / "away.yaml", os.stat

    def away(path: Any, **options: Any) -> os.stat_result:
        if not isinstance(path, int) and Path(path) == place:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path, **options)

    monkeypatch.setattr(os, "stat", away)
    answer = cli(command, place)
    assert answer.code == codes.Exit.USAGE
    assert f"error[RT103]: the file {place} " in answer.err
