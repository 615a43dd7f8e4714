"""How much data a call would read, told before it is made."""

from __future__ import annotations

import os
from pathlib import Path

from runner.base import clock as clocks
from runner.functions import backup_files, snapshot_volume, sqlite_backup, tree_sizes
from runner.registry import estimates


def budget(*, entries: int = 1000, clock: clocks.Clock | None = None) -> estimates.Budget:
    """Return a budget of an hour that does not pass by itself."""
    return estimates.Budget(clock or clocks.FakeClock(), seconds=3600, entries=entries)


def tree(top: Path) -> Path:
    """Make 5 blocks of data in 3 files, one of them with a second name, and a link that leads elsewhere."""
    (top / "deep/er").mkdir(parents=True)
    (top / "a").write_bytes(b"a" * 4096)
    (top / "deep/b.log").write_bytes(b"b" * 8192)
    (top / "deep/er/c").write_bytes(b"c" * 8192)
    os.link(top / "a", top / "deep/again")
    (top / "link").symlink_to("/")
    return top


def test_files_are_added_up_once_each(tmp_path: Path) -> None:
    assert tree_sizes.of_paths([str(tree(tmp_path / "t"))], budget()) == estimates.Size(bytes=5 * 4096)


def test_what_is_excluded_does_not_count(tmp_path: Path) -> None:
    arguments = backup_files.BackupFilesArgs(paths=[str(tree(tmp_path / "t"))], exclude=["*.log", "er/"])
    assert backup_files.estimate(arguments, budget()) == estimates.Size(bytes=4096)


def test_holes_do_not_count(tmp_path: Path) -> None:
    with (tmp_path / "image").open("wb") as image:
        image.truncate(1 << 30)
    arguments = snapshot_volume.SnapshotVolumeArgs(volume=str(tmp_path / "image"))
    found = snapshot_volume.estimate(arguments, budget())
    assert found is not None
    assert found.bytes < 1 << 20


def test_counting_is_cut_off_by_the_number_of_entries(tmp_path: Path) -> None:
    for index in range(20):
        (tmp_path / f"f{index}").write_bytes(b"x" * 4096)
    assert tree_sizes.of_paths([str(tmp_path)], budget(entries=5)) == estimates.Size(bytes=5 * 4096, is_whole=False)


def test_counting_is_cut_off_by_time(tmp_path: Path) -> None:
    clock = clocks.FakeClock()
    spent = budget(clock=clock)
    clock.advance(3601)
    assert tree_sizes.of_paths([str(tree(tmp_path / "t"))], spent) == estimates.Size(bytes=0, is_whole=False)


def test_what_does_not_exist_has_no_size(tmp_path: Path) -> None:
    assert tree_sizes.of_paths([str(tmp_path), str(tmp_path / "none")], budget()) is None


def test_a_database_has_the_size_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_bytes(b"x" * 4096)
    arguments = sqlite_backup.SqliteBackupArgs(database=str(tmp_path / "a.sqlite"))
    assert sqlite_backup.estimate(arguments, budget()) == estimates.Size(bytes=4096)


def test_a_volume_of_another_driver_has_no_known_size(tmp_path: Path) -> None:
    arguments = snapshot_volume.SnapshotVolumeArgs(volume=str(tree(tmp_path / "t")), driver="memory")
    assert snapshot_volume.estimate(arguments, budget()) is None
