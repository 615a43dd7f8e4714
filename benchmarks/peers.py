"""The programs that are measured beside ours: which are installed, and how each backs up and restores a directory."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from benchmarks.measuring import PASSPHRASE, Measured

# How each tells its version, and the version that our limits are meant for.
_PROGRAMS = {
    "zstd": ("--version", (1, 4)),
    "restic": ("version", (0, 19)),
    "rustic": ("--version", (0, 11)),
    "borg": ("--version", (1, 2)),
}


def has(program: str) -> bool:
    """Tell whether a program is installed."""
    return shutil.which(program) is not None


def versions(*programs: str) -> list[str]:
    """Return for each program what it says of itself, and whether it is an old one, or that it is missing."""
    return [_version(program) for program in programs]


def _version(program: str) -> str:
    if not has(program):
        return f"{program} is not installed and left out"
    option, wanted = _PROGRAMS[program]
    said = subprocess.run([program, option], capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
    found = re.search(r"(\d+)\.(\d+)", said)
    is_old = found is not None and (int(found[1]), int(found[2])) < wanted
    return said + ("  (an old one: the limits are meant for {}.{})".format(*wanted) if is_old else "")


class Peer:
    """A repository of another program, with settings as they are when nothing is said, but for the compression.

    Args:
        init: Command that makes the repository.
        environment: What the program is told beside its command line.
    """

    def __init__(self, init: list[str], environment: dict[str, str]) -> None:
        self._environment = {**os.environ, **environment}
        subprocess.run(init, env=self._environment, check=True, stdout=subprocess.DEVNULL)

    def backup(self, source: Path) -> Measured:
        """Back up a directory."""
        return Measured(self._backup(source), env=self._environment)

    def restore(self, target: Path, *, durably: bool = False) -> Measured:
        """Restore what was backed up last, if wanted until it is on the disk, and remove what was restored."""
        target.mkdir()
        command = f"cd {shlex.quote(str(target))} && {shlex.join(self._restore(target))}"
        if durably:
            command += " && find . -type f -exec sync -d {} +"
        done = Measured(["sh", "-c", command], env=self._environment)
        shutil.rmtree(target)
        return done

    def _backup(self, source: Path) -> list[str]:
        raise NotImplementedError

    def _restore(self, target: Path) -> list[str]:
        raise NotImplementedError


class Restic(Peer):
    """A repository of restic at a path or a URL."""

    def __init__(self, scratch: Path, repository: str, **environment: str) -> None:
        cache = str(scratch / "restic-cache")
        self._command = ["restic", "-q", "-r", repository]
        variables = {"RESTIC_PASSWORD": PASSPHRASE, "RESTIC_CACHE_DIR": cache, **environment}
        super().__init__([*self._command, "init"], variables)

    def _backup(self, source: Path) -> list[str]:
        return [*self._command, "backup", str(source)]

    def _restore(self, target: Path) -> list[str]:
        return [*self._command, "restore", "latest", "--target", str(target)]


class Rustic(Peer):
    """A repository of rustic at a path."""

    def __init__(self, scratch: Path, repository: str) -> None:
        self._command = ["rustic", "--no-progress", "--log-level", "warn", "-r", repository]
        variables = {"RUSTIC_PASSWORD": PASSPHRASE, "RUSTIC_CACHE_DIR": str(scratch / "rustic-cache")}
        super().__init__([*self._command, "init"], variables)

    def _backup(self, source: Path) -> list[str]:
        return [*self._command, "backup", str(source)]

    def _restore(self, target: Path) -> list[str]:
        return [*self._command, "restore", "latest", str(target)]


class Borg(Peer):
    """A repository of borg at a path, with compression of the same strength as ours; it holds one archive."""

    def __init__(self, scratch: Path, repository: str) -> None:
        self._archive = f"{repository}::all"
        variables = {"BORG_PASSPHRASE": PASSPHRASE, "BORG_BASE_DIR": str(scratch / "borg-base")}
        super().__init__(["borg", "--error", "init", "--encryption", "repokey-blake2", repository], variables)

    def _backup(self, source: Path) -> list[str]:
        return ["borg", "create", "--compression", "zstd,1", self._archive, str(source)]

    def _restore(self, target: Path) -> list[str]:
        return ["borg", "extract", self._archive]
