"""The command as a user runs it: a process of its own, with a state directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runner.cli import main

TOP = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a command left: exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def run(self) -> dict[str, Any]:
        """The run that `exec -o json` printed."""
        assert self.out, self.err
        found: dict[str, Any] = json.loads(self.out)["run"]
        return found

    def outputs(self, phase: str) -> dict[str, Any]:
        """The outputs of a phase of that run."""
        (found,) = [item for item in self.run["phases"] if item["name"] == phase and item["kind"] == "phase"]
        outputs: dict[str, Any] = found["outputs"]
        return outputs


@dataclass(slots=True, kw_only=True)
class Runner:
    """Calls the command line."""

    state: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, cwd: Path = TOP) -> Done:
        """Run `runner` with these arguments."""
        found = os.pathsep.join(filter(None, [str(TOP), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": found, **self.environment, "RUNNER_STATE_DIR": str(self.state)}
        done = subprocess.run(
            [sys.executable, "-m", "runner", *map(str, arguments)],
            cwd=cwd, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def exec(self, *arguments: str | Path, code: int = 0) -> Done:
        """Run `runner exec -o json`, and expect an exit code."""
        done = self("exec", "-o", "json", *arguments)
        assert done.code == code, done.out + done.err
        return done

    def init(self, *arguments: str | Path) -> None:
        """Run `runner repository init` in this process, where passphrases are cheap."""
        make_repository(self.state, *arguments, environment=self.environment)


def make_repository(state: Path, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> None:
    """Make a repository in this process, where passphrases are cheap; by default that of a state directory."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**(environment or {}), "RUNNER_STATE_DIR": str(state)}.items():
            patch.setenv(name, value)
        assert main.run(["repository", "init", "--quiet", *map(str, arguments)]) == 0


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """The command, with an empty state directory."""
    return Runner(state=tmp_path / "state")


@pytest.fixture
def examples() -> Path:
    """The directory of the examples."""
    return TOP / "examples"


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Callable[[Path, Path, int], None]:
    """Start the private server of an example; it is stopped at the end of the test."""

    def start(script: Path, directory: Path, port: int) -> None:
        here = ["--directory", str(directory), "--port", str(port)]
        request.addfinalizer(lambda: subprocess.run([sys.executable, script, "stop", *here], check=True))
        subprocess.run([sys.executable, script, "start", *here], check=True)

    return start
