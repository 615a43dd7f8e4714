"""Processes that are measured: wall time, processor time, peak memory, and what they print."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024
# As that of the default repository: a generated one.
PASSPHRASE = "generated-7kq2m9xw7kq2m9xw7kq2m9xw7kq2m9xw"


class Measured:
    """One finished process."""

    def __init__(self, command: list[str], **options: Any) -> None:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, **options)
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command[0]} failed with {process.returncode}")
        self.wall = time.perf_counter() - started
        self.cpu = usage.ru_utime + usage.ru_stime
        self.rss_mib = usage.ru_maxrss / 1024
        self.result: dict[str, Any] = json.loads(output) if output.startswith(b"{") else {}


def judged(value: float, limit: float) -> str:
    """Return what a number may be at most, and whether it is."""
    return f"  (at most {limit:.3g}: {'holds' if value <= limit else 'MISSED'})"
