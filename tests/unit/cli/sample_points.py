"""A restore point with an export of each kind, for the tests of commands that look into restore points."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.cli import main

SHOP = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: shop
actions:
  backup:
    inputs:
      here: {type: path, default: .}
    phases:
    - name: files
      func: BackupFiles
      args: {paths: ["{{ inputs.here }}/papers"]}
    - name: dump
      foreach: {items: [orders], key: item}
      func: BackupStream
      args: {command: [cat, "{{ inputs.here }}/dump.sql"]}
    - name: snapshot
      func: SnapshotVolume
      args: {driver: file, volume: "{{ inputs.here }}/disk.img"}
    - name: disk
      func: ExportSnapshot
      args: {snapshot: "{{ phases.snapshot.outputs.id }}"}
"""
CHUNK = 64 * 1024
DISK = 40 * CHUNK + 512
DUMP = b"".join(b"insert into orders values (%d);\n" % number for number in range(40_000))


def make(directory: Path) -> None:
    """Make what `SHOP` backs up, and the blueprint."""
    papers = directory / "papers"
    (papers / "old").mkdir(parents=True)
    (papers / "letter.txt").write_text("dear reader\n" * 100)
    (papers / "old" / "note.txt").write_text("note\n")
    (papers / "old" / "same.txt").hardlink_to(papers / "letter.txt")
    (papers / "latest").symlink_to("letter.txt")
    with (papers / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 20)
        sparse.seek(512 * 1024)
        sparse.write(b"in the middle")
    (directory / "dump.sql").write_bytes(DUMP)
    with (directory / "disk.img").open("wb") as disk:
        disk.truncate(DISK)
        disk.seek(3 * CHUNK + 100)
        disk.write(b"superblock")
        disk.seek(DISK - 3)
        disk.write(b"end")
    (directory / "shop.yaml").write_text(SHOP)


def backup(cli: Callable[..., Any], directory: Path) -> str:
    """Back it up; return the id of the restore point."""
    if not (directory / "shop.yaml").exists():
        make(directory)
    answer = cli("exec", "shop.yaml", "-o", "json")
    assert answer.code == 0, answer.err
    return str(answer.json["run"]["restorePoints"][0]["id"])


@dataclass(frozen=True)
class Shop:
    """A restore point that is there already, and what it was made of.

    Attributes:
        directory: Where the sources are.
        state: The state directory.
        point: Id of the restore point.
    """

    directory: Path
    state: Path
    point: str


def shop(directory: Path) -> Shop:
    """Make the sources and a restore point of them, in a state directory of its own."""
    make(directory)
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setenv("RUNNER_STATE_DIR", str(directory / "state"))
        assert main.run(["exec", str(directory / "shop.yaml"), "-o", "json", "--quiet"]) == 0
    point = json.loads(out.getvalue())["run"]["restorePoints"][0]["id"]
    return Shop(directory, directory / "state", point)


def break_packs(state_dir: Path) -> None:
    """Flip a bit in the middle of the content of each pack."""
    for pack in (state_dir / "repository" / "data").rglob("*"):
        if pack.is_file():
            data = bytearray(pack.read_bytes())
            data[len(data) // 3] ^= 1
            pack.chmod(0o600)
            pack.write_bytes(data)
