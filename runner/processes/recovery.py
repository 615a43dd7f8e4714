"""End whatever the commands of a dead runner left behind, before anybody drives the run again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from runner.base import clock as clocks
from runner.base import durations, errors
from runner.processes import procfs

# Longer than the grace that a reaper gives its commands before it kills them.
PATIENCE = timedelta(seconds=10)
_PAUSE_S = 0.02

# Made before the reaper is started; takes what the reaper may have to say about its own death.
LOG_NAME = "reaper.log"


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """A process that still lived and was killed; `program` is empty where only its environment gave it away."""

    pid: int
    program: str


def settle(directory: Path, token: str, clock: clocks.Clock, *, patience: timedelta = PATIENCE) -> list[Leftover]:
    """Return when no process of the run is left; call it with the lock of the run held and no `Commands` open.

    A reaper that still winds up is waited for. Then every recorded process is killed that is still the same one (pid,
    start time and boot), and every process with the run's token in its environment.

    Args:
        directory: Where the reaper keeps its records, and the files that commands were given; they are removed. It
            need not exist.
        token: The token of the run.
        clock: The time.
        patience: How long to wait for a reaper, and again for killed processes to end.

    Raises:
        EnvironmentProblem: RT204 if a process cannot be ended.
    """
    if not (directory / LOG_NAME).exists():
        return []  # no reaper was ever started, so the search through all processes is spared
    records = [record for _, record in read_records(directory) if _is_alive(record)]
    reapers = [record for record in records if record["kind"] == "reaper"]
    _wait_until(lambda: not any(_is_alive(record) for record in reapers), clock, patience)
    search = _Search(records, token)
    found: dict[int, Leftover] = {}

    def is_clear() -> bool:
        left = search.living()
        for leftover in left:
            found[leftover.pid] = leftover
            search.kill(leftover.pid)
        return not left

    if not _wait_until(is_clear, clock, patience):
        raise _stuck(search.living(), patience)
    for path in (*directory.glob("*.json"), *directory.glob("*.json.new")):
        path.unlink(missing_ok=True)
    for path in directory.glob("*.files"):
        shutil.rmtree(path)
    return sorted(found.values(), key=lambda leftover: leftover.pid)


def read_records(directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the records of the reaper by name, in no particular order."""
    for path in directory.glob("*.json"):
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            yield path.stem, json.loads(path.read_bytes())


class _Search:
    """Knows the processes of one run by record or by token."""

    def __init__(self, records: list[dict[str, Any]], token: str) -> None:
        self._records = {record["pid"]: record for record in records}
        self._entry = f"{procfs.TOKEN_VARIABLE}={token}".encode()

    def living(self) -> list[Leftover]:
        return [leftover for pid in procfs.all_pids() if (leftover := self._recognise(pid)) is not None]

    def kill(self, pid: int) -> None:
        """Kill a process of the run, through a handle, so that a reused pid cannot be hit."""
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if self._recognise(pid) is not None:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return  # the search goes on until it is gone, or names it as stuck
        finally:
            os.close(handle)

    def _recognise(self, pid: int) -> Leftover | None:
        record = self._records.get(pid)
        if record is not None and _is_alive(record):
            return Leftover(pid=pid, program=record["program"])
        if pid != os.getpid() and self._entry in procfs.environment_of(pid):
            return Leftover(pid=pid, program="")
        return None


def _is_alive(record: dict[str, Any]) -> bool:
    if record["boot"] != procfs.boot_id() or record["start"] is None:
        return False
    return procfs.start_time(record["pid"]) == int(record["start"])


def _wait_until(condition: Callable[[], bool], clock: clocks.Clock, patience: timedelta) -> bool:
    deadline = clock.monotonic() + patience.total_seconds()
    never = threading.Event()
    while not condition():
        if clock.monotonic() >= deadline:
            return False
        clock.wait(never, _PAUSE_S)
    return True


def _stuck(left: list[Leftover], patience: timedelta) -> errors.EnvironmentProblem:
    names = ", ".join(f"{leftover.pid} {leftover.program}".strip() for leftover in left)
    return errors.EnvironmentProblem(
        f"processes of the run do not end after {durations.for_people(patience.total_seconds())}: {names}",
        hint="see what they wait for (a hanging file system?), end them, then resume the run",
    )
