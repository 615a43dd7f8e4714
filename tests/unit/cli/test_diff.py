"""`runner repository diff`: what differs between two restore points, for people and programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli import sample_points, test_output_schemas
from tests.unit.cli.conftest import Cli


@pytest.fixture
def points(cli: Cli, tmp_path: Path) -> tuple[str, str]:
    """Make two restore points between which something of each kind happened."""
    first = sample_points.backup(cli, tmp_path)
    papers = tmp_path / "papers"
    (papers / "letter.txt").write_text("dear all\n")
    (papers / "old" / "note.txt").unlink()
    (papers / "new").mkdir()
    (papers / "new" / "page.txt").write_text("page\n")
    (papers / "sparse").chmod(0o600)
    with (tmp_path / "disk.img").open("r+b") as disk:
        disk.seek(3 * sample_points.CHUNK)
        disk.write(b"changed" * 20000)
    with (tmp_path / "dump.sql").open("ab") as dump:
        dump.write(b"one more\n")
    return first, sample_points.backup(cli, tmp_path)


def test_lines_for_people(cli: Cli, points: tuple[str, str]) -> None:
    lines = cli("repository", "diff", *points).out.splitlines()
    assert lines[0].startswith(f"{points[0][:8]} (shop, ")
    assert lines[1:] == [
        "files",
        "  ~ papers/letter.txt  content (1.2 KiB → 9 B)",
        "  + papers/new  directory",
        "  + papers/new/page.txt  5 B",
        "  - papers/old/note.txt  5 B",
        "  ~ papers/sparse  mode 0644 → 0600",
        "    2 added, 1 removed, 2 changed; 14 B in new and changed files",
        "dump/orders",
        *[line for line in lines if "stream, " in line],
        "disk",
        "  ~          196,608    64.0 KiB  changed",
        "  ~          262,144   128.0 KiB  written",
        "    192.0 KiB of 2.5 MiB differ (7.5%)",
    ]


def test_rows_for_programs(cli: Cli, points: tuple[str, str]) -> None:
    rows = cli("repository", "diff", *points, "-o", "json").rows
    for row in rows:
        test_output_schemas.check("outputs/repository-diff", row)
    totals = {row["path"]: (row["added"], row["removed"], row["changed"]) for row in rows if row["change"] == "total"}
    assert totals == {"files": (2, 1, 2), "dump/orders": (0, 0, 1), "disk": (0, 0, 2)}
    (stream,) = [row for row in rows if row["type"] == "stream" and row["change"] == "changed"]
    assert stream["sizeAfter"] - stream["sizeBefore"] == 9
    assert 9 <= stream["bytesNew"] < len(sample_points.DUMP)


def test_a_restore_point_is_like_itself(cli: Cli, shop: sample_points.Shop) -> None:
    assert cli("repository", "diff", shop.point, shop.point).out.splitlines()[1:] == [
        "files: the same, 1.0 MiB",
        "dump/orders: the same, 1.3 MiB",
        "disk: the same, 2.5 MiB",
    ]


def test_exports_that_only_one_has(cli: Cli, tmp_path: Path) -> None:
    first = sample_points.backup(cli, tmp_path)
    blueprint = tmp_path / "shop.yaml"
    blueprint.write_text(sample_points.SHOP.replace("[orders]", "[bills]"))
    second = sample_points.backup(cli, tmp_path)
    lines = cli("repository", "diff", first, second).out.splitlines()
    assert lines[2:6] == ["dump/orders", "  - stream, 1.3 MiB", "disk: the same, 2.5 MiB", "dump/bills"]
    assert lines[6:] == ["  + stream, 1.3 MiB"]


def test_many_stretches_are_cut_short_for_people(cli: Cli, tmp_path: Path) -> None:
    sample_points.make(tmp_path)
    first = sample_points.backup(cli, tmp_path)
    with (tmp_path / "disk.img").open("r+b") as disk:
        for number in range(0, 40, 2):
            disk.seek(number * sample_points.CHUNK)
            disk.write(bytes([number + 1]) * sample_points.CHUNK)
        disk.seek(39 * sample_points.CHUNK)
        disk.write(b"x")
        disk.truncate(sample_points.DISK + 5 * sample_points.CHUNK)
        disk.seek(44 * sample_points.CHUNK)
        disk.write(b"x")
        disk.seek(42 * sample_points.CHUNK)
        disk.write(b"x")
    lines = cli("repository", "diff", first, sample_points.backup(cli, tmp_path)).out.splitlines()
    assert "  ~ volume, 2.5 MiB → 2.8 MiB" in lines
    assert any(line.startswith("    … and ") and "more (all with -o json)" in line for line in lines)


def test_unknown_restore_points_are_told(cli: Cli, shop: sample_points.Shop) -> None:
    answer = cli("repository", "diff", shop.point, "nothing")
    assert (answer.code, "error[RT418]" in answer.err) == (1, True)


def test_stats_name_what_each_restore_point_holds(cli: Cli, points: tuple[str, str]) -> None:
    lines = cli("repository", "stats").out.splitlines()
    assert any(line.startswith("deduplication    ") for line in lines)
    assert [line[:8] for line in lines[lines.index("") + 6 :]] == [point[:8] for point in reversed(points)]
