"""A proof of an export notices whatever is not as it was captured."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.base import errors
from runner.repository import tree_compare, tree_restore
from runner.repository.tree_entry import Kind
from tests.unit.repository import tree_samples


@pytest.fixture
def bench(tmp_path: Path) -> tree_samples.Bench:
    return tree_samples.Bench(tmp_path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    (directory / "below").mkdir(parents=True)
    (directory / "below" / "file").write_text("captured")
    (directory / "link").symlink_to("below")
    os.link(directory / "below" / "file", directory / "second")
    with (directory / "sparse").open("wb") as file:
        file.write(b"data")
        file.truncate(1 << 20)
    return directory


def test_a_good_export_is_proved_and_nothing_is_left(bench: tree_samples.Bench, source: Path) -> None:
    export = bench.backup(source).export
    scratch = bench.scratch / "scratch"
    assert tree_samples.verify(bench, export) == tree_restore.Restored(files=2, bytes=8 + (1 << 20))
    assert os.listdir(scratch) == []


def put_data_into_the_hole(top: Path) -> None:
    with (top / "sparse").open("r+b") as file:
        os.pwrite(file.fileno(), b"x", 900_000)
        os.utime(file.fileno(), ns=(1, 1))


def point_the_link_elsewhere(top: Path) -> None:
    (top / "link").unlink()
    (top / "link").symlink_to("above")


def make_the_link_a_file(top: Path) -> None:
    (top / "link").unlink()
    (top / "link").touch()


def replace_the_second_name(top: Path) -> None:
    (top / "second").unlink()
    (top / "second").write_text("captured")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "content": (lambda top: (top / "below" / "file").write_text("Captured"), "source/below/file: the content differs"),
    "size": (lambda top: (top / "below" / "file").write_text("short"), "source/below/file: 5 bytes instead of 8"),
    "mode": (lambda top: (top / "below").chmod(0o700), "source/below: mode 700 instead of 755"),
    "time": (lambda top: os.utime(top / "below", ns=(1, 1)), "source/below: modified at 1 ns instead of"),
    "hole": (put_data_into_the_hole, "source/sparse: a hole at"),
    "hard link": (replace_the_second_name, "source/second: it is no hard link of its first name"),
    "symlink": (point_the_link_elsewhere, "source/link: the symbolic link says something else"),
    "kind": (make_the_link_a_file, "source/link: it is a file, not a symlink"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_difference_is_named(bench: tree_samples.Bench, source: Path, tmp_path: Path, change: str) -> None:
    damage, expected = CHANGES[change]
    source.joinpath("below").chmod(0o755)
    manifest = bench.repo.manifest(bench.backup(source).export)
    top = tmp_path / "restored"
    top.mkdir()
    builder = tree_restore.build(bench.repo, manifest, top, cancel=bench.cancel, progress=lambda _: None)
    assert tree_compare.find_differences(bench.repo, manifest, top, builder, bench.cancel) == []
    damage(top / "source")
    found = tree_compare.find_differences(bench.repo, manifest, top, builder, bench.cancel)
    assert any(line.startswith(expected) for line in found), found


def test_an_export_that_is_not_what_was_captured_fails(bench: tree_samples.Bench) -> None:
    wrong = tree_samples.entry(0, b"root", Kind.FILE, hash=b"another hash")
    export = tree_samples.forge(bench.repo, [wrong])
    with pytest.raises(errors.PermanentError) as caught:
        tree_samples.verify(bench, export)
    assert (caught.value.code, caught.value.details) == ("RT419", "root: the content differs")
