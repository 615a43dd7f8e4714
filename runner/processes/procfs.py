"""Facts about processes from /proc, and the system calls that Python lacks (Linux).

Part of the reaper, so it imports nothing but the standard library, and little of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

# Each command finds these in its environment, and so does every process below it: that is how leftovers are known.
TOKEN_VARIABLE = "RUNNER_TOKEN"
COMMAND_VARIABLE = "RUNNER_COMMAND"

SET_PDEATHSIG = 1
SET_CHILD_SUBREAPER = 36


def stat_fields(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the third (the state) on; empty if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 (pathlib is slow to import)
            text = stat.read()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text[text.rindex(b")") + 2 :].split()


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it has ended, be it a zombie or gone."""
    fields = stat_fields(pid)
    return None if not fields or fields[0] in b"ZX" else int(fields[19])


def boot_id() -> str:
    """Return the id of this boot of the machine."""
    with open("/proc/sys/kernel/random/boot_id") as source:  # noqa: PTH123
        return source.read().strip()


def environment_of(pid: int) -> list[bytes]:
    """Return the `NAME=value` entries a process was started with; empty if it has ended or is not ours to read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as source:  # noqa: PTH123
            return source.read().split(b"\0")
    except OSError:
        return []


def all_pids() -> list[int]:
    """Return the ids of all processes that can be seen."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children() -> list[int]:
    """Return the ids of the children of this process, zombies included."""
    me = str(os.getpid()).encode()
    return [pid for pid in all_pids() if stat_fields(pid)[1:2] == [me]]


def kill(pid: int, number: int) -> None:
    """Send a signal to a process; nothing happens if it has ended or belongs to somebody else (sudo)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def kill_group(leader: int, number: int) -> None:
    """Send a signal to the group of a child that is not reaped, be it that it has not made its group yet."""
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        kill(leader, number)
    except PermissionError:
        return


def prctl(option: int, value: int) -> None:
    """Change how the kernel treats the calling process."""
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
