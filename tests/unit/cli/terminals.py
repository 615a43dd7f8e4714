"""A command on a pseudo-terminal of its own, with somebody who answers its questions."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path


def converse(directory: Path, answers: Sequence[str], *arguments: str) -> tuple[int, str]:
    """Run a command, answer one question after another, and return its exit code and what was shown."""
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
            for answer in answers:
                while not shown.endswith(b": ") and (more := _read(terminal.fileno())):
                    shown += more
                terminal.write(answer.encode() + b"\n")
                shown += _read(terminal.fileno())
            while more := _read(terminal.fileno()):
                shown += more
    return process.returncode, shown.decode()


def _read(descriptor: int) -> bytes:
    """Read what there is; nothing once the other side has closed the terminal."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""
