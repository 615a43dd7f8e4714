"""What a person at a terminal is asked, with a real process on a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import termios
from pathlib import Path

from runner.base import codes
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli

SECRET = "correct horse"
QUESTION = 'Value of the secret input "password" (Of the owner.):'


def on_a_terminal(directory: Path, answer: str, *arguments: str) -> tuple[int, str]:
    """Run a command on a terminal of its own and answer its question; return its exit code and what was shown."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "RUNNER_STATE_DIR": str(directory / "state"), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-m", "runner", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=directory,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(theirs)
        shown = b""
        with open(ours, "r+b", buffering=0) as terminal:
            while not shown.endswith(b": ") and (more := read(terminal.fileno())):
                shown += more
            terminal.write(answer.encode() + b"\n")
            while more := read(terminal.fileno()):
                shown += more
    return process.returncode, shown.decode()


def read(descriptor: int) -> bytes:
    """Read what there is; nothing once the other side has closed the terminal."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""


def test_a_missing_secret_is_asked_for_and_not_shown(tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.SECRET)
    code, shown = on_a_terminal(tmp_path, SECRET, "exec", "blueprint.yaml", "--progress", "plain")
    assert code == 0, shown
    assert (tmp_path / "got").read_text() == SECRET
    assert QUESTION in shown
    assert SECRET not in shown


def test_without_a_terminal_a_missing_secret_is_an_error(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.SECRET)
    answer = cli("exec", "blueprint.yaml")
    assert answer.code == codes.exit_of("KB510")
    assert 'error[KB510]: the input "password" is missing' in answer.err
