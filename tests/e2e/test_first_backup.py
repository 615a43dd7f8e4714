"""Example 01: a busy SQLite database and a tree of files."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import conftest as e2e

BLUEPRINT = e2e.TOP / "examples" / "01-first-backup" / "blueprint.yaml"


@dataclass(frozen=True, kw_only=True)
class Backup:
    """An application that was backed up, and what the run said of it."""

    runner: e2e.Runner
    data: Path
    point: Mapping[str, Any]


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Backup:
    place = tmp_path_factory.mktemp("bank")
    runner, data = e2e.Runner(state=place / "state"), place / "data"
    runner.init()
    (point,) = runner.exec(BLUEPRINT, "--set", f"data={data}", "--set", "seconds=0.1").run["restorePoints"]
    return Backup(runner=runner, data=data, point=point)


def _facts(path: Path, root: Path) -> tuple[Any, ...]:
    """Everything about a file that a restore must bring back."""
    status = path.lstat()
    kind = "link" if path.is_symlink() else "directory" if path.is_dir() else "file"
    content = os.readlink(path) if kind == "link" else ""
    attributes: dict[str, bytes] = {}
    if kind == "file":
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    links = status.st_nlink if kind == "file" else 1
    owner = (status.st_uid, status.st_gid)
    return str(path.relative_to(root)), kind, status.st_mode, owner, links, status.st_mtime_ns, content, attributes


def _tree(root: Path) -> list[tuple[Any, ...]]:
    return sorted((_facts(path, root) for path in root.rglob("*")), key=lambda facts: str(facts[0]))


def _transfers(database: Path) -> int:
    connection = sqlite3.connect(f"{database.as_uri()}?immutable=1", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT count(*) FROM transfer").fetchone()[0])
    finally:
        connection.close()


def test_backup_of_a_busy_application_comes_back_whole(runner: e2e.Runner, tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "target"
    backup = runner.exec(BLUEPRINT, "--set", f"data={data}", "--set", "seconds=2")
    (point,) = backup.run["restorePoints"]
    captured = _tree(data / "documents")

    restore = runner.exec(BLUEPRINT, "--action", "restore", "--set", f"target={target}")

    assert _tree(target / "documents") == captured
    sparse = (target / "documents" / "disk.img").stat()
    assert sparse.st_blocks * 512 < sparse.st_size // 4
    assert restore.outputs("check")["transfers"] == _transfers(target / "bank.sqlite")
    assert restore.run["status"] == "succeeded"
    assert point["bytesStored"] < point["bytesRead"]
    # It was captured while it was written to.
    assert 0 <= _transfers(target / "bank.sqlite") - 50_000 < backup.outputs("trade")["transfers"]


def test_second_backup_stores_little(backup: Backup) -> None:
    again = backup.runner.exec(BLUEPRINT, "--set", f"data={backup.data}", "--set", "seconds=0.1")

    assert again.run["restorePoints"][0]["bytesStored"] < backup.point["bytesStored"] // 10


def test_restore_makes_a_fresh_directory_each_time(backup: Backup, tmp_path: Path) -> None:
    into = ("--action", "restore", "--set", f"restored={tmp_path / 'restored'}")

    runs = [backup.runner.exec(BLUEPRINT, *into).run["id"] for _ in range(2)]

    assert sorted(path.name for path in (tmp_path / "restored").iterdir()) == sorted(runs)


def test_restore_writes_over_existing_data_only_when_told_to(backup: Backup, tmp_path: Path) -> None:
    onto = ("--action", "restore", "--set", f"target={tmp_path / 'target'}")
    backup.runner.exec(BLUEPRINT, *onto)
    (tmp_path / "target" / "documents" / "photos" / "photo-1.jpg").write_bytes(b"spoilt")
    before = _tree(tmp_path / "target")

    refused = backup.runner.exec(BLUEPRINT, *onto, code=4)
    assert refused.run["error"]["code"] == "RT310"
    assert _tree(tmp_path / "target") == before

    backup.runner.exec(BLUEPRINT, *onto, "--overwrite")
    assert _tree(tmp_path / "target" / "documents") == _tree(backup.data / "documents")


def test_verify_proves_a_restore_point_and_makes_none(backup: Backup) -> None:
    verified = backup.runner.exec(BLUEPRINT, "--action", "verify").run

    assert verified["status"] == "succeeded"
    assert verified["restorePoints"] == []
