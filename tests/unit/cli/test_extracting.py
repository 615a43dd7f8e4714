"""`runner restore-points restore` with `--to` and `--include`: files without the blueprint."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.cli import sample_points
from tests.unit.cli.conftest import Cli
from tests.unit.repository import tree_samples


def names(top: Path) -> list[str]:
    """Return what is below a directory and is no directory."""
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_symlink() or not path.is_dir())


def restore(cli: Cli, shop: sample_points.Shop, *arguments: object) -> Path:
    answer = cli("restore-points", "restore", shop.point, "--to", "out", *arguments)
    assert answer.code == 0, answer.err
    return Path("out").absolute()


def test_everything_comes_back_under_the_names_of_the_exports(cli: Cli, shop: sample_points.Shop) -> None:
    out = restore(cli, shop)
    assert sorted(path.name for path in out.iterdir()) == ["disk", "dump", "files"]
    assert tree_samples.account(out / "files" / "papers") == tree_samples.account(shop.directory / "papers")
    assert (out / "dump" / "orders").read_bytes() == sample_points.DUMP
    disk = out / "disk"
    assert disk.read_bytes() == (shop.directory / "disk.img").read_bytes()
    assert disk.stat().st_blocks * 512 < sample_points.DISK / 2
    assert disk.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["dump"], ["dump/orders"]),
        (["dump/orders", "disk"], ["disk", "dump/orders"]),
        (["*.txt"], ["files/papers/letter.txt", "files/papers/old/note.txt", "files/papers/old/same.txt"]),
        (["files/papers/old/"], ["files/papers/old/note.txt", "files/papers/old/same.txt"]),
        (["files/*/latest"], ["files/papers/latest"]),
        (["files", "!*.txt"], ["files/papers/latest", "files/papers/sparse"]),
        (["**/old/note*"], ["files/papers/old/note.txt"]),
    ],
)
def test_patterns_choose(cli: Cli, shop: sample_points.Shop, patterns: list[str], expected: list[str]) -> None:
    out = restore(cli, shop, *(word for pattern in patterns for word in ("--include", pattern)))
    assert names(out) == expected


def test_directories_above_come_with_their_metadata(cli: Cli, shop: sample_points.Shop) -> None:
    out = restore(cli, shop, "--include", "note.txt")
    for name in ("papers", "papers/old"):
        source, made = (shop.directory / name).stat(), (out / "files" / name).stat()
        assert (made.st_mode, made.st_mtime_ns) == (source.st_mode, source.st_mtime_ns)


def test_a_further_name_alone_is_the_file(cli: Cli, shop: sample_points.Shop) -> None:
    out = restore(cli, shop, "--include", "same.txt")
    assert names(out) == ["files/papers/old/same.txt"]
    same = out / "files" / "papers" / "old" / "same.txt"
    assert same.read_text() == (shop.directory / "papers" / "letter.txt").read_text()
    assert same.stat().st_nlink == 1


def test_further_names_without_the_first_stay_one_file(cli: Cli, tmp_path: Path) -> None:
    sample_points.make(tmp_path)
    (tmp_path / "papers" / "zebra.txt").hardlink_to(tmp_path / "papers" / "letter.txt")
    point = sample_points.backup(cli, tmp_path)
    words = ["--include", "zebra.txt", "--include", "same.txt", "--to", "out"]
    assert cli("restore-points", "restore", point, *words).code == 0
    papers = tmp_path / "out" / "files" / "papers"
    assert (papers / "zebra.txt").stat().st_ino == (papers / "old" / "same.txt").stat().st_ino


def test_nothing_is_written_over_unless_told(cli: Cli, shop: sample_points.Shop) -> None:
    out = restore(cli, shop, "--include", "disk")
    (out / "disk").write_text("mine")
    (out / "other").write_text("mine too")
    refused = cli("restore-points", "restore", shop.point, "--to", "out")
    assert (refused.code, (out / "disk").read_text()) == (4, "mine")
    assert "error[RT310]" in refused.err
    assert names(out) == ["disk", "other"]
    restore(cli, shop, "--include", "disk", "--overwrite")
    assert (out / "disk").stat().st_size == sample_points.DISK
    assert (out / "other").read_text() == "mine too"


def test_without_a_directory_it_is_named_after_the_restore_point(cli: Cli, shop: sample_points.Shop) -> None:
    assert cli("restore-points", "restore", shop.point, "--include", "disk").code == 0
    assert names(Path(f"restored-{shop.point[:8]}")) == ["disk"]


def test_a_dry_run_tells_and_writes_nothing(cli: Cli, shop: sample_points.Shop) -> None:
    answer = cli(
        "restore-points", "restore", shop.point, "--to", "out", "--include", "*.txt", "--dry-run", "-o", "json"
    )
    assert answer.json["parts"] == [{"path": "files", "type": "tree", "files": 2, "bytes": 1205}]
    assert not Path("out").exists()


def test_damage_leaves_nothing(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    point = sample_points.backup(cli, tmp_path)
    sample_points.break_packs(state_dir)
    before = sorted(os.listdir(tmp_path))
    answer = cli("restore-points", "restore", point, "--to", "new/out")
    assert (answer.code, "error[RT415]" in answer.err) == (1, True)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_full_disk_leaves_nothing(cli: Cli, shop: sample_points.Shop, small_disk: Path) -> None:
    answer = cli("restore-points", "restore", shop.point, "--to", small_disk / "out")
    assert (answer.code, "error[RT312]" in answer.err) == (4, True), answer.err
    assert list(small_disk.iterdir()) == []


def test_an_empty_name_of_a_directory_is_not_the_current_one(
    shop: sample_points.Shop, cli: Cli, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    refused = cli("restore-points", "restore", shop.point, "--to", "")
    assert (refused.code, refused.out) == (2, "")
    assert "error[RT101]: the directory of --to is empty" in refused.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("--include nothing", 1, 'error[RT430]: nothing in the restore point matches "nothing"'),
        ("--include *.txt --include old/x", 1, 'matches "old/x"\n  hint: see what there is with `runner repository ls'),
        ("--include !disk", 1, "error[RT430]"),
        ("--to out --set a=b", 2, "error[RT101]: --set is for restoring with the blueprint"),
        ("--to out --action restore", 2, "error[RT101]: --action is for"),
        ("--to letter", 2, "error[RT101]"),
        ("--to letter/below", 4, "error[RT311]"),
    ],
)
def test_wrong_wishes_are_told(
    cli: Cli, shop: sample_points.Shop, tmp_path: Path, arguments: str, code: int, said: str
) -> None:
    (tmp_path / "letter").write_text("in the way")
    answer = cli("restore-points", "restore", shop.point, *arguments.split())
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
    assert names(tmp_path) == ["letter"]
