"""Who made a temporary file or a lock: one process, told apart from every other, and whether it is certainly gone."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import msgspec

_PROC = Path("/proc")
_FORM = re.compile(r"([^.]+)\.([^.]+)\.(\d+)\.(\d+)\.(\d+)")


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """One process.

    Attributes:
        host: 12 hexadecimal characters that stand for the machine's id and name.
        boot: The boot id of the kernel, without dashes.
        namespace: Number of the process namespace (containers on one kernel count their processes separately).
        pid: The process id.
        started: When it was started, in clock ticks since boot; tells a reused pid apart.
    """

    host: str
    boot: str
    namespace: int
    pid: int
    started: int

    def __str__(self) -> str:
        return f"{self.host}.{self.boot}.{self.namespace}.{self.pid}.{self.started}"


def current() -> Owner:
    """Return this process."""
    pid = os.getpid()
    started = _started(pid)
    return Owner(host=_host(), boot=_boot(), namespace=_namespace(), pid=pid, started=started or 0)


def parse(text: str) -> Owner:
    """Read what `str(owner)` wrote.

    Raises:
        ValueError: If the text is not one.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} names no process")
    namespace, pid, started = (int(match[number]) for number in (3, 4, 5))
    return Owner(host=match[1], boot=match[2], namespace=namespace, pid=pid, started=started)


def is_gone(owner: Owner) -> bool:
    """Tell whether the process has certainly ended; False when that cannot be seen from here (another machine)."""
    if owner.boot != _boot():
        return owner.host == _host()
    if owner.namespace != _namespace():
        return False
    return _started(owner.pid) != owner.started


def _host() -> str:
    machine = Path("/etc/machine-id")
    identity = machine.read_text() if machine.exists() else ""
    return hashlib.sha256(f"{os.uname().nodename}\n{identity}".encode()).hexdigest()[:12]


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip().replace("-", "")


def _namespace() -> int:
    return (_PROC / "self/ns/pid").stat().st_ino


def _started(pid: int) -> int | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses, which may hold anything; state and start time are the
    # fields 3 and 22. A zombie has ended, only its parent has not looked yet.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
