"""What a capture reads, what it leaves alone, and what it says about the rest."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import errors
from runner.repository import tree_walk
from tests import privileges
from tests.unit.repository import tree_samples


@pytest.fixture
def bench(tmp_path: Path) -> tree_samples.Bench:
    return tree_samples.Bench(tmp_path, tree_samples.new_repository(clocks.FakeClock()))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    for number in range(30):
        place = directory / f"d{number % 5}" / f"f{number}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(random.Random(number).randbytes(40_000))
    return directory


def restored_names(bench: tree_samples.Bench, source: Path, tmp_path: Path, *exclude: str) -> set[str]:
    export = bench.backup(source, exclude=exclude).export
    bench.restore(export, tmp_path / "target")
    top = tmp_path / "target" / "source"
    return {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir()}


def test_with_a_base_unchanged_files_are_not_read(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    first = bench.backup(source)
    assert first.bytes_read == 30 * 40_000
    (source / "d1" / "f1").write_bytes(b"changed")
    (source / "d1" / "f6").unlink()
    (source / "d1" / "new").write_bytes(b"new")
    (source / "d2").rename(source / "d2x")
    second = bench.backup(source, base=first.export)
    assert second.bytes_read == len(b"changed" + b"new") + 6 * 40_000
    assert second.bytes_new == len(b"changed" + b"new")
    assert second.bytes_stored < 20_000
    before = tree_samples.account(source)
    bench.restore(second.export, tmp_path / "target")
    assert tree_samples.account(tmp_path / "target" / "source") == before


def test_few_changed_files_among_many_keep_each_its_own_content(tmp_path: Path, bench: tree_samples.Bench) -> None:
    """A list of files waits for so many contents only: then the first ones are stored, and others come after them."""
    directory = tmp_path / "source"
    directory.mkdir()
    for number in range(1500):
        (directory / f"f{number:04}").write_bytes(f"file {number}".encode())
    first = bench.backup(directory)
    for number in range(0, 1500, 100):
        (directory / f"f{number:04}").write_bytes(f"changed {number}".encode())
    second = bench.backup(directory, base=first.export)
    before = tree_samples.account(directory)
    bench.restore(second.export, tmp_path / "target")
    assert tree_samples.account(tmp_path / "target" / "source") == before


def test_small_files_far_apart_keep_each_its_own_content(tmp_path: Path, bench: tree_samples.Bench) -> None:
    directory = tmp_path / "source"
    for number in range(1500):
        (directory / f"d{number:04}").mkdir(parents=True)
        if number % 400 == 0:
            (directory / f"d{number:04}" / "f").write_bytes(f"file {number}".encode())
    before = tree_samples.account(directory)
    bench.restore(bench.backup(directory).export, tmp_path / "target")
    assert tree_samples.account(tmp_path / "target" / "source") == before


def test_a_file_with_the_same_size_and_time_but_other_content_is_read(
    bench: tree_samples.Bench, source: Path, tmp_path: Path
) -> None:
    file = source / "d1" / "f1"
    os.utime(file, ns=(1, 1))
    first = bench.backup(source)
    file.write_bytes(bytes(40_000))
    os.utime(file, ns=(1, 1))
    second = bench.backup(source, base=first.export)
    bench.restore(second.export, tmp_path / "target")
    assert (tmp_path / "target" / "source" / "d1" / "f1").read_bytes() == bytes(40_000)


def test_a_file_that_was_new_when_it_was_read_is_read_again(tmp_path: Path) -> None:
    bench = tree_samples.Bench(tmp_path, tree_samples.new_repository(clocks.SystemClock()))
    (tmp_path / "fresh").write_bytes(b"one")
    first = bench.backup(tmp_path / "fresh")
    assert bench.backup(tmp_path / "fresh", base=first.export).bytes_read == 3


def test_a_base_of_the_same_tree_gives_the_same_list(bench: tree_samples.Bench, source: Path) -> None:
    (source / "link").symlink_to("d1")
    os.link(source / "d1" / "f1", source / "second name")
    first = bench.backup(source)
    second = bench.backup(source, base=first.export)
    assert second.bytes_read == 0
    assert bench.repo.manifest(second.export).roots == bench.repo.manifest(first.export).roots


def test_changes_of_metadata_alone_are_captured(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    if not tree_samples.can_set_xattrs(tmp_path):
        pytest.skip("this file system has no extended attributes")
    for place in ("d1/f1", "d1/f6", "d1"):
        os.setxattr(source / place, "user.before", b"1")
    first = bench.backup(source)
    os.setxattr(source / "d1" / "f1", "user.before", b"2")
    os.removexattr(source / "d1" / "f6", "user.before")
    os.setxattr(source / "d1", "user.after", b"3")
    (source / "d1" / "f11").chmod(0o600)
    os.utime(source / "d1" / "f16", ns=(5, 5))
    before = tree_samples.account(source)
    second = bench.backup(source, base=first.export)
    bench.restore(second.export, tmp_path / "target")
    assert tree_samples.account(tmp_path / "target" / "source") == before


def test_a_file_that_gets_attributes_while_it_is_read_is_read_again(bench: tree_samples.Bench, tmp_path: Path) -> None:
    """What was listed with the attributes before must not be taken for the file with those after."""
    if not tree_samples.can_set_xattrs(tmp_path):
        pytest.skip("this file system has no extended attributes")
    file = tmp_path / "busy"
    file.write_bytes(random.Random(1).randbytes(3 << 20))
    looks = iter(range(1000))
    bench.cancel = tree_samples.Meddling(lambda: os.setxattr(file, "user.late", b"1") if next(looks) == 3 else None)
    first = bench.backup(file)
    assert bench.warnings == ["busy changed while it was read"]
    bench.cancel = cancels.CancelToken()
    second = bench.backup(file, base=first.export)
    bench.restore(second.export, tmp_path / "target")
    assert os.getxattr(tmp_path / "target" / "busy", "user.late") == b"1"


def test_a_base_that_is_gone_means_that_all_is_read(bench: tree_samples.Bench, source: Path) -> None:
    first = bench.backup(source)
    bench.repo.delete_export(first.export)
    assert bench.backup(source, base=first.export).bytes_read == 30 * 40_000


def test_equal_trees_give_equal_chunks(bench: tree_samples.Bench, source: Path) -> None:
    bench.backup(source)
    again = bench.backup(source)
    assert (again.bytes_read, again.bytes_new) == (30 * 40_000, 0)
    assert again.bytes_stored < 6000


def test_patterns_exclude_as_in_a_gitignore_file(bench: tree_samples.Bench, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ["a.log", "keep.log", "cache/x", "sub/cache/y", "sub/a.log", "top", "sub/top", "sub/deep/er/z"]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    names = restored_names(bench, source, tmp_path, "*.log", "!keep.log", "cache/", "/top", "sub/**/z", "# comment")
    assert names == {"keep.log", "sub/top"}


def test_a_missing_root_fails(bench: tree_samples.Bench, tmp_path: Path) -> None:
    with pytest.raises(errors.PermanentError) as caught:
        bench.backup(tmp_path / "missing")
    assert caught.value.code == "RT315"


def test_a_root_is_reached_through_a_directory_that_cannot_be_listed() -> None:
    with privileges.given_up() as scratch:
        bench = tree_samples.Bench(scratch)
        (scratch / "home" / "own").mkdir(parents=True)
        (scratch / "home" / "own" / "file").write_text("x")
        (scratch / "home").chmod(0o300)
        assert bench.backup(scratch / "home" / "own").bytes_read == 1
        (scratch / "home").chmod(0o000)
        with pytest.raises(errors.PermanentError) as caught:
            bench.backup(scratch / "home" / "own")
        assert caught.value.code == "RT313"
        (scratch / "home").chmod(0o700)


def test_an_unreadable_file_fails_the_backup_or_is_left_out_with_a_warning() -> None:
    with privileges.given_up() as scratch:
        bench = tree_samples.Bench(scratch)
        source = scratch / "source"
        (source / "locked").mkdir(parents=True)
        (source / "locked" / "within").touch()
        (source / "secret").write_text("secret")
        (source / "secret").chmod(0)
        os.link(source / "secret", source / "second name")
        (source / "plain").write_text("plain")
        (source / "locked").chmod(0)
        with pytest.raises(errors.PermanentError) as caught:
            bench.backup(source)
        assert caught.value.code == "RT313"
        export = bench.backup(source, unreadable=tree_walk.Unreadable.SKIP).export
        assert sorted(bench.warnings) == [
            "source/locked cannot be read and was left out: Permission denied",
            "source/second name cannot be read and was left out: Permission denied",
            "source/secret cannot be read and was left out: Permission denied",
        ]
        bench.restore(export, scratch / "target")
        assert os.listdir(scratch / "target" / "source") == ["plain"]
        (source / "locked").chmod(0o700)


def test_an_ordinary_user_gets_everything_back_but_the_owner(tmp_path: Path) -> None:
    repo = tree_samples.new_repository()
    (tmp_path / "source" / "closed").mkdir(parents=True)
    (tmp_path / "source" / "program").write_text("x")
    (tmp_path / "source" / "program").chmod(0o4755)
    (tmp_path / "source" / "closed" / "file").write_text("y")
    (tmp_path / "source" / "closed").chmod(0o555)
    (tmp_path / "source").chmod(0o555)
    before = tree_samples.account(tmp_path / "source")
    export = tree_samples.Bench(tmp_path, repo).backup(tmp_path / "source").export
    owner = os.stat(tmp_path / "source").st_uid
    with privileges.given_up() as scratch:
        bench = tree_samples.Bench(scratch, repo)
        (scratch / "held").mkdir()
        for target in ("new", "held"):
            bench.restore(export, scratch / target, token=target * 8)
            after = tree_samples.account(scratch / target / "source")
            kept = [{key: value for key, value in one.items() if key != "owner"} for one in after.values()]
            was = [{key: value for key, value in one.items() if key != "owner"} for one in before.values()]
            if owner != os.geteuid():
                was[list(before).index(b"program")]["mode"] = oct(0o100755)
                assert "the owner of 4 entries could not be set, which needs root" in bench.warnings
            assert kept == was
            for place in ("source", "source/closed"):
                (scratch / target / place).chmod(0o755)


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
def test_a_file_that_changes_while_it_is_read_is_named_and_consistent(
    bench: tree_samples.Bench, tmp_path: Path, change: str
) -> None:
    file = tmp_path / "busy"
    file.write_bytes(random.Random(1).randbytes(5 << 20))
    looked = 0

    def meddle() -> None:
        nonlocal looked
        looked += 1
        if looked == 3:
            with file.open("r+b") as handle:
                if change == "shrink":
                    handle.truncate(3 << 20)
                elif change == "grow":
                    handle.seek(0, os.SEEK_END)
                    handle.write(b"more")
                else:
                    handle.write(b"other")

    bench.cancel = tree_samples.Meddling(meddle)
    first = bench.backup(file)
    assert bench.warnings == ["busy changed while it was read"]
    bench.cancel = cancels.CancelToken()
    bench.restore(first.export, tmp_path / "target")
    size = (tmp_path / "target" / "busy").stat().st_size
    assert size == (3 << 20 if change == "shrink" else 5 << 20)
    assert tree_samples.verify(bench, first.export).files == 1
    # Its times may not tell: the next backup reads it again.
    assert bench.backup(file, base=first.export).bytes_read == file.stat().st_size


def test_a_file_that_vanishes_is_a_warning(bench: tree_samples.Bench, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a", "b", "c"):
        (source / name).touch()
    bench.cancel = tree_samples.Meddling(lambda: (source / "b").unlink(missing_ok=True))
    export = bench.backup(source).export
    assert bench.warnings in ([], ["source/b vanished while it was read"])
    bench.cancel = cancels.CancelToken()
    bench.restore(export, tmp_path / "target")
    assert sorted(os.listdir(tmp_path / "target" / "source")) == ["a", "c"]


def test_a_cancelled_backup_leaves_no_export(bench: tree_samples.Bench, source: Path) -> None:
    bench.cancel.cancel()
    with pytest.raises(errors.Cancelled):
        bench.backup(source, token="cancelled")
    assert bench.repo.find_export("cancelled") is None
