"""`runner benchmark`: what it prints and leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli import test_output_schemas
from tests.unit.cli.conftest import Cli


def test_rates_and_what_follows(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    answer = cli("benchmark", "--size", "1MiB", "--location", f"file://{tmp_path}/there", "-o", "json")
    assert answer.code == 0, answer.err
    test_output_schemas.check("outputs/benchmark", answer.json)
    assert answer.json["location"]["throughput"][3]["parallel"] == 8
    assert [path for path in (tmp_path / "there").rglob("*") if path.is_file()] == []
    assert not (tmp_path / "state").exists()


def test_lines_for_people(cli: Cli) -> None:
    lines = cli("benchmark", "--size", "1MiB").out.splitlines()
    assert [line[2:15].rstrip() for line in lines if line.startswith("  ")] == [
        *("read a file", "write a file", "hash", "compress", "encrypt", "export", "restore", "first export", "restore"),
        "with --locati",
    ]


def test_help_promises_no_location_of_its_own(cli: Cli) -> None:
    said = cli("benchmark", "--help").out
    assert "--location NAME|FILE|URL" in said
    assert "default: the repository" not in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("--size 1k", 2, "error[RT101]: --size is less than 1 MiB"),
        ("--size many", 2, "error[RT101]: invalid value for '--size'"),
        ("--directory missing", 2, "error[RT101]"),
        ("--location ro --size 1MiB", 2, "error[RT101]: the profile of ro says readOnly"),
        ("--location locked --size 1MiB", 2, "is locked by its retention"),
        ("--location nowhere --size 1MiB", 2, "error[RT403]"),
        ("--location blocked --size 1MiB", 1, "error[RT400]"),
    ],
)
def test_wrong_wishes_are_told(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, code: int, said: str
) -> None:
    (tmp_path / "letter").write_text("in the way")
    (tmp_path / "config.yaml").write_text(
        "locations:\n"
        "  ro: {type: directory, path: nas, readOnly: true}\n"
        "  blocked: {type: directory, path: letter/below}\n"
        "  locked: {type: s3, bucket: b, region: eu, retention: {mode: governance, period: 24h}}\n"
    )
    monkeypatch.setenv("RUNNER_CONFIG", str(tmp_path / "config.yaml"))
    answer = cli("benchmark", *arguments.split())
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
