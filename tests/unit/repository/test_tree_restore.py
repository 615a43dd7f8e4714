"""Where a restore writes: never over data that it may not replace, never outside, never half."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from msgspec import structs

from runner.base import errors
from runner.repository import (
    tree_build,
    tree_descent,
    tree_entry,
    tree_place,
    tree_restore,
)
from runner.repository.tree_entry import Kind
from tests import privileges
from tests.unit.repository import tree_samples
from tests.unit.repository.tree_samples import entry


@pytest.fixture
def bench(tmp_path: Path) -> tree_samples.Bench:
    return tree_samples.Bench(tmp_path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    (directory / "below").mkdir(parents=True)
    (directory / "below" / "file").write_text("captured")
    (directory / "top").write_text("captured")
    return directory


def contents_of(top: Path) -> dict[str, str]:
    return {str(path.relative_to(top)): path.read_text() for path in sorted(top.rglob("*")) if path.is_file()}


def test_existing_data_is_not_touched_without_overwrite(
    bench: tree_samples.Bench, source: Path, tmp_path: Path
) -> None:
    export = bench.backup(source).export
    (tmp_path / "target" / "source").mkdir(parents=True)
    (tmp_path / "target" / "source" / "top").write_text("theirs")
    with pytest.raises(errors.EnvironmentProblem) as caught:
        bench.restore(export, tmp_path / "target")
    assert caught.value.code == "RT310"
    assert contents_of(tmp_path / "target") == {"source/top": "theirs"}
    assert os.listdir(tmp_path / "target") == ["source"]


def test_a_restore_that_will_be_refused_is_not_begun(tmp_path: Path) -> None:
    (tmp_path / "target" / "name").mkdir(parents=True)
    place = tree_place.Place(tmp_path / "target", [b"name"], token="t" * 8, record=tmp_path / "record", overwrite=False)
    begun: list[Path] = []
    with pytest.raises(errors.EnvironmentProblem):
        place.fill(begun.append)
    assert begun == []


def test_a_restore_goes_beside_data_of_other_names(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    export = bench.backup(source).export
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "other").write_text("theirs")
    bench.restore(export, tmp_path / "target")
    assert contents_of(tmp_path / "target") == {
        "other": "theirs",
        "source/below/file": "captured",
        "source/top": "captured",
    }
    assert sorted(os.listdir(tmp_path / "target")) == ["other", "source"]


def test_overwriting_replaces_what_has_the_same_name_and_keeps_the_rest(
    bench: tree_samples.Bench, source: Path, tmp_path: Path
) -> None:
    (source / "below").chmod(0o750)
    os.utime(source / "below", ns=(5, 5))
    export = bench.backup(source).export
    held = tmp_path / "target" / "source" / "below"
    held.mkdir(parents=True)
    (held / "file").write_text("theirs")
    (held / "kept").write_text("theirs")
    (held.parent / "top").symlink_to("elsewhere")
    bench.restore(export, tmp_path / "target", overwrite=True)
    assert contents_of(tmp_path / "target") == {
        "source/below/file": "captured",
        "source/below/kept": "theirs",
        "source/top": "captured",
    }
    assert stat.S_IMODE(held.stat().st_mode) == 0o750
    assert held.stat().st_mtime_ns == 5
    assert os.listdir(tmp_path / "target") == ["source"]


@pytest.mark.parametrize("in_the_way", ["file for directory", "directory for file", "link for directory"])
def test_nothing_is_replaced_when_one_thing_is_in_the_way(
    bench: tree_samples.Bench, source: Path, tmp_path: Path, in_the_way: str
) -> None:
    export = bench.backup(source).export
    held = tmp_path / "target" / "source"
    held.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = "RT310"
    if in_the_way == "file for directory":
        (held / "below").write_text("theirs")
    elif in_the_way == "directory for file":
        (held / "top").mkdir()
        (held / "below").mkdir()
        (held / "below" / "file").write_text("theirs")
    else:
        (held / "below").symlink_to(elsewhere)
        code = "RT314"
    before = contents_of(tmp_path / "target")
    with pytest.raises(errors.RunnerError) as caught:
        bench.restore(export, tmp_path / "target", overwrite=True)
    assert caught.value.code == code
    assert contents_of(tmp_path / "target") == before
    assert os.listdir(elsewhere) == []


def test_a_database_that_is_written_over_loses_its_stale_log(bench: tree_samples.Bench, tmp_path: Path) -> None:
    database = tmp_path / "app.db"
    database.write_bytes(b"SQLite format 3\0" + bytes(84))
    export = bench.backup(database).export
    target = tmp_path / "target"
    target.mkdir()
    for name in ("app.db", "app.db-wal", "app.db-shm", "app.db-journal", "other.db-wal"):
        (target / name).write_text("old")
    bench.restore(export, target, overwrite=True)
    assert sorted(os.listdir(target)) == ["app.db", "other.db-wal"]


def test_a_failed_restore_leaves_nothing(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    export = bench.backup(source).export
    bench.cancel.cancel()
    with pytest.raises(errors.Cancelled):
        bench.restore(export, tmp_path / "new" / "target")
    assert not (tmp_path / "new").exists()
    (tmp_path / "held").mkdir()
    with pytest.raises(errors.Cancelled):
        bench.restore(export, tmp_path / "held")
    assert os.listdir(tmp_path / "held") == []


def test_what_an_interrupted_attempt_left_is_replaced(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    export = bench.backup(source).export
    token = "a" * 32
    for leftover in (tmp_path / f".target.{token}.partial", tmp_path / "held" / f".{token}.partial"):
        (leftover / "source" / "locked").mkdir(parents=True)
        (leftover / "source" / "locked" / "half").write_text("half")
        (leftover / "source" / "locked").chmod(0o000)
    for target in ("target", "held"):
        bench.restore(export, tmp_path / target, token=token)
        (tmp_path / f"record-{token}").unlink()
        assert contents_of(tmp_path / target) == {"source/below/file": "captured", "source/top": "captured"}
        assert os.listdir(tmp_path / target) == ["source"]
    assert not (tmp_path / f".target.{token}.partial").exists()


def test_an_attempt_that_died_after_the_last_step_is_not_repeated(
    bench: tree_samples.Bench, source: Path, tmp_path: Path
) -> None:
    export = bench.backup(source).export
    bench.restore(export, tmp_path / "target")
    (tmp_path / "target" / "source" / "top").write_text("used since")
    restored = bench.restore(export, tmp_path / "target")
    assert restored == tree_restore.Restored(files=2, bytes=16)
    assert (tmp_path / "target" / "source" / "top").read_text() == "used since"


def test_an_attempt_that_died_while_it_moved_is_completed(
    bench: tree_samples.Bench, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "second").write_text("captured")
    export = bench.backup(source, tmp_path / "second").export
    (tmp_path / "target").mkdir()
    bench.restore(export, tmp_path / "target")
    (tmp_path / "target" / "second").unlink()
    bench.restore(export, tmp_path / "target")
    assert sorted(contents_of(tmp_path / "target")) == ["second", "source/below/file", "source/top"]


def test_two_restores_into_one_missing_target_both_arrive(tmp_path: Path) -> None:
    def build(name: str) -> tree_place.Place:
        return tree_place.Place(
            tmp_path / "target", [name.encode()], token=name * 8, record=tmp_path / f"record-{name}", overwrite=False
        )

    first, second = build("a"), build("b")
    first.fill(lambda top: (top / "a").write_text("a"))
    second.fill(lambda top: (top / "b").write_text("b"))
    assert contents_of(tmp_path / "target") == {"a": "a", "b": "b"}


ESCAPES = {
    "dotdot": [entry(0, b"..", Kind.DIRECTORY), entry(1, b"escaped", Kind.FILE)],
    "absolute": [entry(0, b"root", Kind.DIRECTORY), entry(1, b"/tmp/escaped", Kind.FILE)],
    "slash": [entry(0, b"root", Kind.DIRECTORY), entry(1, b"../../escaped", Kind.FILE)],
    "empty": [entry(0, b"", Kind.FILE)],
    "nul": [entry(0, b"a\0b", Kind.FILE)],
    "link parent": [
        entry(0, b"root", Kind.SYMLINK, target=b"../outside"),
        entry(0, b"root", Kind.DIRECTORY),
        entry(1, b"escaped", Kind.FILE),
    ],
    "file through link": [
        entry(0, b"root", Kind.SYMLINK, target=b"../outside/new"),
        entry(0, b"root", Kind.FILE),
    ],
    "below a link": [
        entry(0, b"root", Kind.SYMLINK, target=b"../outside"),
        entry(1, b"escaped", Kind.FILE),
    ],
    "below a file": [entry(0, b"root", Kind.FILE), entry(1, b"escaped", Kind.FILE)],
    "hard link out": [entry(0, b"root", Kind.LINK, metadata=None, link=(b"..", b"outside", b"secret"))],
    "hard link through link": [
        entry(0, b"a", Kind.SYMLINK, target=b"../outside"),
        entry(0, b"root", Kind.LINK, metadata=None, link=(b"a", b"secret")),
    ],
}


@pytest.mark.parametrize("escape", ESCAPES)
def test_no_export_can_write_outside_the_target(bench: tree_samples.Bench, tmp_path: Path, escape: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    export = tree_samples.forge(bench.repo, ESCAPES[escape])
    with pytest.raises(errors.PermanentError) as caught:
        bench.restore(export, tmp_path / "target")
    assert caught.value.code == "RT314"
    assert os.listdir(tmp_path / "outside") == ["secret"]
    assert (tmp_path / "outside" / "secret").stat().st_nlink == 1
    assert not (tmp_path / "target").exists()


def test_a_link_planted_during_the_restore_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "outside").mkdir()
    with tree_build.TreeBuilder(tmp_path / "top") as builder:
        builder.add(entry(0, b"root", Kind.DIRECTORY), lambda _: None)
        (tmp_path / "top" / "root" / "below").symlink_to(tmp_path / "outside")
        with pytest.raises(errors.PermanentError) as caught:
            builder.add(entry(1, b"below", Kind.DIRECTORY), lambda _: None)
    assert caught.value.code == "RT314"
    assert os.listdir(tmp_path / "outside") == []


def test_removing_a_tree_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").touch()
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "below" / "link").symlink_to(tmp_path / "outside")
    with tree_descent.open_top(tmp_path) as descent:
        tree_descent.remove(descent.descriptor, b"tree")
        tree_descent.remove(descent.descriptor, b"missing")
    assert os.listdir(tmp_path) == ["outside"]
    assert os.listdir(tmp_path / "outside") == ["kept"]


def test_a_setuid_program_loses_the_bit_when_its_owner_cannot_be_set() -> None:
    stranger = structs.replace(
        entry(0, b"program", Kind.FILE), metadata=tree_entry.Metadata(mode=0o4755, uid=0, gid=0, mtime=1)
    )
    with privileges.given_up() as top:
        with tree_build.TreeBuilder(top) as builder:
            builder.add(stranger, lambda _: None)
        assert stat.S_IMODE((top / "program").stat().st_mode) == 0o755
        assert builder.warnings() == ["the owner of 1 entries could not be set, which needs root"]
