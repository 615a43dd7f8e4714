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
    "qemu-img": ("--version", (7, 2)),
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


class Packer:
    """A program that makes one file of an image and brings it back; nothing is encrypted or stored only once.

    Args:
        pack: Command that makes the file `{target}` of the image `{source}`.
        unpack: Command that makes the image `{target}` of the file `{source}`.
    """

    def __init__(self, pack: str, unpack: str) -> None:
        self._pack = pack
        self._unpack = unpack

    def pack(self, image: Path, target: Path) -> Measured:
        """Make the file."""
        done = Measured(["sh", "-c", _filled(self._pack, image, target)])
        done.result["stored"] = target.stat().st_size
        return done

    def unpack(self, packed: Path, target: Path) -> Measured:
        """Bring the image back until it is on the disk, and remove it."""
        command = _filled(self._unpack, packed, target)
        done = Measured(["sh", "-c", f"{command} && sync -d {shlex.quote(str(target))}"])
        target.unlink()
        return done


def _filled(command: str, source: Path, target: Path) -> str:
    return command.format(source=shlex.quote(str(source)), target=shlex.quote(str(target)))


PACKERS = {
    "zstd": Packer("zstd -1 -T2 -q -f {source} -o {target}", "zstd -d -q -f --sparse {source} -o {target}"),
    # Two threads, and clusters in any order, which its manual recommends for speed.
    "qemu-img": Packer(
        "qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd -m 2 -W {source} {target}",
        "qemu-img convert -f qcow2 -O raw {source} {target}",
    ),
}


class Peer:
    """A repository of another program, with settings as they are when nothing is said, but for compression and holes.

    Args:
        init: Command that makes the repository.
        backup: Command that backs up the directory that is named behind it.
        restore: Command that restores what was backed up last into the directory where it runs.
        environment: What the program is told beside its command line.
    """

    def __init__(self, init: list[str], backup: list[str], restore: list[str], environment: dict[str, str]) -> None:
        self._backup = backup
        self._restore = restore
        self._environment = {**os.environ, **environment}
        subprocess.run(init, env=self._environment, check=True, stdout=subprocess.DEVNULL)

    def backup(self, source: Path) -> Measured:
        """Back up a directory."""
        return Measured([*self._backup, str(source)], env=self._environment)

    def restore(self, target: Path, *, durably: bool = False) -> Measured:
        """Restore what was backed up last, if wanted until it is on the disk, and remove what was restored."""
        target.mkdir()
        command = f"cd {shlex.quote(str(target))} && {shlex.join(self._restore)}"
        if durably:
            command += " && find . -type f -exec sync -d {} +"
        done = Measured(["sh", "-c", command], env=self._environment)
        shutil.rmtree(target)
        return done


def restic(scratch: Path, repository: str, **environment: str) -> Peer:
    """Make a repository of restic at a path or a URL."""
    command = ["restic", "-q", "-r", repository]
    return Peer(
        [*command, "init"],
        [*command, "backup"],
        [*command, "restore", "latest", "--sparse", "--target", "."],
        {"RESTIC_PASSWORD": PASSPHRASE, "RESTIC_CACHE_DIR": str(scratch / "restic-cache"), **environment},
    )


def rustic(scratch: Path, repository: str) -> Peer:
    """Make a repository of rustic at a path."""
    command = ["rustic", "--no-progress", "--log-level", "warn", "-r", repository]
    return Peer(
        [*command, "init"],
        [*command, "backup"],
        [*command, "restore", "latest", "."],
        {"RUSTIC_PASSWORD": PASSPHRASE, "RUSTIC_CACHE_DIR": str(scratch / "rustic-cache")},
    )


def borg(scratch: Path, repository: str) -> Peer:
    """Make a repository of borg at a path, with compression of the same strength as ours; it holds one archive."""
    archive = f"{repository}::all"
    return Peer(
        ["borg", "--error", "init", "--encryption", "repokey-blake2", repository],
        ["borg", "create", "--compression", "zstd,1", archive],
        ["borg", "extract", archive],
        {"BORG_PASSPHRASE": PASSPHRASE, "BORG_BASE_DIR": str(scratch / "borg-base")},
    )
