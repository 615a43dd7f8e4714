"""`runner repository ls` and `cat`: what is in a restore point, without restoring it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.cli import sample_points
from tests.unit.cli.conftest import Cli


@pytest.fixture
def point(shop: sample_points.Shop) -> str:
    return shop.point


def paths(cli: Cli, *arguments: str) -> list[str]:
    answer = cli("repository", "ls", *arguments, "-o", "json")
    assert answer.code == 0, answer.err
    return [row["path"] for row in answer.rows]


def poured(point: str, capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> bytes:
    """Call the command as a program whose output is bytes."""
    from runner.__main__ import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["runner", "repository", "cat", point, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    out, err = capfdbinary.readouterr()
    assert ended.value.code == 0, err
    return out


def test_exports_are_listed_with_their_sizes(cli: Cli, point: str) -> None:
    rows = cli("repository", "ls", point, "-o", "json").rows
    assert [(row["path"], row["type"], row["size"], row["files"]) for row in rows] == [
        ("files", "tree", 1200 + 5 + (1 << 20), 3),
        ("dump/orders", "stream", len(sample_points.DUMP), None),
        ("disk", "volume", sample_points.DISK, None),
    ]


def test_a_directory_is_listed_without_what_is_below(cli: Cli, point: str) -> None:
    assert paths(cli, point, "files") == ["files/papers"]
    top = ["latest", "letter.txt", "old", "sparse"]
    assert paths(cli, point, "/files/papers/") == [f"files/papers/{name}" for name in top]
    assert paths(cli, point, "files/papers/letter.txt") == ["files/papers/letter.txt"]


def test_everything_below_is_listed_on_request(cli: Cli, point: str) -> None:
    below = ["old/note.txt", "old/same.txt"]
    assert paths(cli, point, "-R", "files/papers/old") == [f"files/papers/{name}" for name in below]
    assert paths(cli, point, "-R")[3:] == ["files/papers", *paths(cli, point, "-R", "files/papers")]


def test_an_entry_is_described_as_it_was(cli: Cli, shop: sample_points.Shop) -> None:
    point = shop.point
    (row,) = cli("repository", "ls", point, "files/papers/letter.txt", "-o", "json").rows
    facts = (shop.directory / "papers" / "letter.txt").stat()
    assert (row["mode"], row["size"]) == (f"{facts.st_mode & 0o7777:04o}", facts.st_size)
    (row,) = cli("repository", "ls", point, "files/papers/old/same.txt", "-o", "json").rows
    assert (row["type"], row["target"]) == ("link", "papers/letter.txt")


def test_lines_for_people_look_like_those_of_ls(cli: Cli, point: str) -> None:
    lines = cli("repository", "ls", point, "files/papers").out.splitlines()
    assert lines[0].startswith("lrwxrwxrwx ")
    assert lines[0].endswith(" UTC  files/papers/latest -> letter.txt")
    assert "  1.2 KiB  " in lines[1]


def test_a_name_that_is_no_text_is_escaped(cli: Cli, tmp_path: Path) -> None:
    sample_points.make(tmp_path)
    Path(os.fsdecode(os.fsencode(tmp_path / "papers") + b"/odd\xff\x1b[2J")).write_text("x")
    point = sample_points.backup(cli, tmp_path)
    shown = cli("repository", "ls", point, "files/papers").out
    assert "files/papers/odd\\xff\\x1b[2J\n" in shown
    assert cli("repository", "ls", point, "files/papers", "-o", "json").code == 0


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("files/papers/letter.txt", "papers/letter.txt"),
        ("files/papers/old/same.txt", "papers/letter.txt"),
        ("files/papers/sparse", "papers/sparse"),
        ("dump/orders", "dump.sql"),
        ("disk", "disk.img"),
    ],
)
def test_bytes_come_as_they_were(
    path: str, source: str, shop: sample_points.Shop, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    point, expected = shop.point, (shop.directory / source).read_bytes()
    assert poured(point, capfdbinary, path) == expected
    for start, length in ((0, 10), (len(expected) // 2 - 7, 14), (len(expected) - 3, 100), (len(expected), 1)):
        part = poured(point, capfdbinary, path, "--offset", str(start), "--length", str(length))
        assert part == expected[start : start + length]


def test_damage_ends_with_another_exit_code(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    point = sample_points.backup(cli, tmp_path)
    sample_points.break_packs(state_dir)
    answers = [cli("repository", "cat", point, path) for path in ("files/papers/sparse", "dump/orders", "disk")]
    assert any(answer.code == 1 and "error[RT415]" in answer.err for answer in answers)
    assert not any("�" in answer.out for answer in answers)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("ls POINT fils", 1, 'error[RT430]: the restore point has no export "fils"\n  hint: did you mean "files"?'),
        (
            "ls POINT dump",
            1,
            'error[RT430]: the restore point has no export "dump"\n  hint: expected one of',
        ),
        ("ls POINT dump/order", 1, 'no export "dump/order"\n  hint: did you mean "dump/orders"?'),
        ("ls POINT files/papers/lettr.txt", 1, "error[RT430]: there is nothing at files/papers/lettr.txt"),
        ("cat POINT files/papers/lettr.txt", 1, 'hint: did you mean "letter.txt"?'),
        ("cat POINT files/nothing/at/all", 1, "error[RT430]: there is nothing at files/nothing\n"),
        ("cat POINT files", 1, "error[RT430]: files is a tree of files"),
        ("cat POINT files/papers", 1, "error[RT430]: files/papers is a directory, not a file"),
        ("cat POINT files/papers/latest", 1, "is a symbolic link, not a file; it says letter.txt"),
        ("cat POINT disk/partition", 1, "error[RT430]: disk is a volume"),
        ("cat POINT disk --offset 1TiB", 2, "error[RT101]: disk has 2.5 MiB"),
        ("cat POINT disk --offset -1", 2, "error[RT101]: invalid value for '--offset'"),
        ("ls nothing", 1, "error[RT418]"),
    ],
)
def test_what_is_not_there_is_told(cli: Cli, point: str, arguments: str, code: int, said: str) -> None:
    answer = cli("repository", *arguments.replace("POINT", point).split())
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
