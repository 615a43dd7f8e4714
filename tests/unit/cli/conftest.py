"""The command line, called in this process with a state directory of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.cli import main
from tests.unit.cli import sample_points

_VARIABLES = ("RUNNER_CONFIG", "RUNNER_PASSPHRASE", "RUNNER_PASSPHRASE_FILE", "NO_COLOR", "XDG_STATE_HOME")


@dataclass(frozen=True)
class Answer:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on standard output."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[Any]:
        """The objects on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        """The error object on standard error."""
        return json.loads(self.err.splitlines()[-1])["error"]


Cli = Callable[..., Answer]


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the state directory of the command line; it does not exist yet."""
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("RUNNER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


@pytest.fixture
def cli(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Call the command line."""

    def call(*arguments: object) -> Answer:
        code = main.run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Answer(int(code), said.out, said.err)

    return call


@pytest.fixture(scope="session")
def shop_once(tmp_path_factory: pytest.TempPathFactory) -> sample_points.Shop:
    """Make the restore point that all tests share which only read it."""
    return sample_points.shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def shop(shop_once: sample_points.Shop, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> sample_points.Shop:
    """Let the command line work with that restore point; nothing may be changed there."""
    monkeypatch.setenv("RUNNER_STATE_DIR", str(shop_once.state))
    return shop_once
