"""Processes that are measured: wall time, processor time, peak memory, and what they print."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024
PASSPHRASE = "benchmark"


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


class Restic:
    """A repository of restic.

    Args:
        scratch: Where its cache goes.
        repository: A path or a URL.
        environment: What else it is told, credentials for instance.
    """

    def __init__(self, scratch: Path, repository: str, **environment: str) -> None:
        cache = str(scratch / "restic-cache")
        self._environment = {**os.environ, "RESTIC_PASSWORD": PASSPHRASE, "RESTIC_CACHE_DIR": cache, **environment}
        self._command = ["restic", "-q", "-r", repository]
        subprocess.run([*self._command, "init"], env=self._environment, check=True, stdout=subprocess.DEVNULL)

    def backup(self, source: Path) -> Measured:
        """Back up a directory."""
        return Measured([*self._command, "backup", str(source)], env=self._environment)

    def restore(self, target: Path, *, durably: bool = False) -> Measured:
        """Restore the latest snapshot, if wanted until it is on the disk, and remove what was restored."""
        command = shlex.join([*self._command, "restore", "latest", "--target", str(target)])
        if durably:
            command += f" && find {shlex.quote(str(target))} -type f -exec sync -d {{}} +"
        done = Measured(["sh", "-c", command], env=self._environment)
        shutil.rmtree(target)
        return done


def judged(value: float, limit: float) -> str:
    """Return what a number may be at most, and whether it is."""
    return f"  (at most {limit:.3g}: {'holds' if value <= limit else 'MISSED'})"


def versions() -> list[str]:
    """Return which peers are installed, in their own words."""
    found = []
    for program in ("zstd", "restic"):
        if shutil.which(program):
            option = "version" if program == "restic" else "--version"
            said = subprocess.run([program, option], capture_output=True, text=True).stdout.strip().splitlines()
            old = "  (an old one)" if program == "restic" and " 0.14" in said[0] else ""
            found.append(said[0] + old)
    return found
