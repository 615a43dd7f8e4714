"""What the driver `file` tells of the next export of an image, before there is a snapshot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.base import cancel, clock
from runner.registry import estimates
from runner.storage.file import driver as file_driver

MIB = 1 << 20


def image(directory: Path, size: int = 4 * MIB) -> Path:
    path = directory / "disk.img"
    path.write_bytes(os.urandom(size))
    return path


def snapshot(path: Path) -> None:
    driver = file_driver.FileDriver(clock=clock.FakeClock())
    driver.create_snapshot(str(path), {}, cancel.CancelToken())


def foreseen(path: Path) -> estimates.Way | None:
    return file_driver.FileDriver().foresee_changes(str(path))


def test_first_export_reads_everything(tmp_path: Path) -> None:
    way = foreseen(image(tmp_path))
    assert way == estimates.Way(method="full", reason="there is no earlier snapshot of the volume")


def test_snapshot_that_is_there_is_compared(tmp_path: Path) -> None:
    path = image(tmp_path)
    snapshot(path)
    way = foreseen(path)
    assert way is not None
    assert way.method == "changed"
    assert way.reason.startswith("compared with the snapshot of 2026-01-01 00:00 UTC")
    assert way.skips is None
    assert "what that saves is known when both have been compared" in way.reason


def test_what_is_shared_on_the_disk_need_not_be_read(reflink_disk: Path) -> None:
    path = image(reflink_disk)
    snapshot(path)
    whole = foreseen(path)
    assert whole is not None
    assert whole.skips == 4 * MIB
    with path.open("r+b") as file:
        file.seek(MIB)
        file.write(os.urandom(MIB))
        os.fsync(file.fileno())
    way = foreseen(path)
    assert way is not None
    assert way.skips == 3 * MIB
    assert "share 3.0 MiB on the disk" in way.reason


def test_volume_that_has_shrunk_is_read_anew(tmp_path: Path) -> None:
    path = image(tmp_path)
    snapshot(path)
    os.truncate(path, MIB)
    way = foreseen(path)
    assert way is not None
    assert way.method == "rescan"


@pytest.mark.parametrize("kind", ["missing", "directory"])
def test_nothing_is_told_of_what_has_no_blocks(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "disk.img"
    if kind == "directory":
        path.mkdir()
    assert foreseen(path) is None


def test_looking_ahead_changes_nothing(tmp_path: Path) -> None:
    path = image(tmp_path)
    snapshot(path)
    shelf = next(tmp_path.glob(".*.snapshots"))
    (shelf / ".tmp-of-a-dead-process").mkdir()
    before = sorted(str(one) for one in tmp_path.rglob("*"))
    foreseen(path)
    assert sorted(str(one) for one in tmp_path.rglob("*")) == before
