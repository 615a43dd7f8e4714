"""A throw-away run for tests of processes, and a look at the processes of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import runner
from runner.base import clock as clocks
from runner.base import ids
from runner.processes import commands, procfs

# A runner in a process of its own, which starts a shell script, says so, and waits for it.
RUNNER = """
import os, sys
from datetime import timedelta
from pathlib import Path
from runner.base import cancel, clock
from runner.processes import commands
directory, token, grace, script = sys.argv[1:]
run = commands.Commands(Path(directory), token, clock.SystemClock(), grace=timedelta(seconds=float(grace)))
command = run.start(["sh", "-c", script], env={"PATH": os.environ["PATH"]}, files={"key": b"secret"})
print("started", flush=True)
command.wait(cancel.CancelToken())
"""


class Run:
    """One run: its token, its directory of records, and what lives of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.token = ids.base32(os.urandom(20), 32)
        self.env = {"PATH": os.environ["PATH"]}

    def open(self, grace: float = 5.0) -> commands.Commands:
        clock = clocks.SystemClock()
        return commands.Commands(self.directory, self.token, clock, grace=timedelta(seconds=grace))

    def start_runner(self, script: str, *, grace: float = 5.0) -> subprocess.Popen[bytes]:
        """Start a runner in a process of its own, and return when its command runs."""
        arguments = [str(self.directory), self.token, str(grace), script]
        package_root = str(Path(runner.__file__).parents[1])
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, *arguments],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": package_root},
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"started\n"
        except BaseException:
            with process:
                process.kill()
            raise
        return process

    def living(self) -> list[int]:
        """Return the processes that carry the run's token."""
        entry = f"RUNNER_TOKEN={self.token}".encode()
        return [pid for pid in procfs.all_pids() if entry in procfs.environment_of(pid)]

    def reapers(self) -> dict[str, int]:
        """Return the processes that supervise the run's commands and live: `guard` (the outer one) and `reaper`."""
        names = [path.stem.partition("-") for path in self.directory.glob("*-*.json")]
        return {kind: int(pid) for kind, _, pid in names if procfs.start_time(int(pid)) is not None}


def eventually(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Look until a condition holds, at most for some seconds."""
    clock, never = clocks.SystemClock(), threading.Event()
    deadline = clock.monotonic() + seconds
    while not condition():
        if clock.monotonic() > deadline:
            return False
        never.wait(0.01)
    return True
