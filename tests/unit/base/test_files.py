from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.base import files, owner


def written(path: Path, data: Sequence[bytes | bytearray | memoryview]) -> bytes:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        files.write_all(descriptor, data)
    finally:
        os.close(descriptor)
    return path.read_bytes()


def test_all_buffers_are_written_whatever_their_kind_and_number(tmp_path: Path) -> None:
    many = [bytes([number % 256]) * (number % 7) for number in range(3000)]
    words = memoryview(bytearray(b"12345678")).cast("I")
    assert written(tmp_path / "file", [*many, words, bytearray(b"end")]) == b"".join(many) + b"12345678end"


def test_pipe_that_takes_little_at_a_time_gets_everything(tmp_path: Path) -> None:
    read, write = os.pipe()
    pid = os.posix_spawn("/bin/cat", ["cat"], {}, file_actions=[
        (os.POSIX_SPAWN_DUP2, read, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(tmp_path / "copy"), os.O_WRONLY | os.O_CREAT, 0o600),
        (os.POSIX_SPAWN_CLOSE, write),
    ])  # fmt: skip
    os.close(read)
    data = [os.urandom(100_001) for _ in range(9)]
    files.write_all(write, data)
    os.close(write)
    assert os.waitpid(pid, 0)[1] == 0
    assert (tmp_path / "copy").read_bytes() == b"".join(data)


def test_atomic_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_atomically(path, b"a longer content")
    files.write_atomically(path, b"short", mode=0o640)
    assert path.read_bytes() == b"short"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["file"]


def test_failed_atomic_write_leaves_the_old_file(small_disk: Path) -> None:
    path = small_disk / "file"
    files.write_atomically(path, b"old")
    with pytest.raises(OSError, match="space"):
        files.write_atomically(path, os.urandom(2_000_000))
    assert path.read_bytes() == b"old"
    assert os.listdir(small_disk) == ["file"]


def test_publishing_replaces_nothing_unless_asked(tmp_path: Path) -> None:
    temporary, target = tmp_path / "temporary", tmp_path / "target"
    temporary.write_text("new")
    target.write_text("old")
    with pytest.raises(FileExistsError):
        files.publish(temporary, target, overwrite=False)
    assert (temporary.read_text(), target.read_text()) == ("new", "old")
    files.publish(temporary, target, overwrite=True)
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["target"]


def test_published_file_has_one_name(tmp_path: Path) -> None:
    (tmp_path / "temporary").write_text("new")
    files.publish(tmp_path / "temporary", tmp_path / "target", overwrite=False)
    assert os.listdir(tmp_path) == ["target"]
    assert (tmp_path / "target").stat().st_nlink == 1


def test_exclusive_rename_never_replaces(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        files.rename_exclusively(tmp_path / "a", tmp_path / "b")
    files.rename_exclusively(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c").read_text() == "a"
    with pytest.raises(FileNotFoundError):
        files.rename_exclusively(tmp_path / "a", tmp_path / "d")


def test_file_system_that_can_neither_link_nor_rename_exclusively_is_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(number: int) -> Callable[..., None]:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        return refuse

    monkeypatch.setattr(os, "link", cannot(errno.EPERM))
    monkeypatch.setattr(files, "rename_exclusively", cannot(errno.EINVAL))
    temporary, target = tmp_path / "temporary", tmp_path / "target"
    temporary.write_text("new")
    files.publish(temporary, target, overwrite=False)
    temporary.write_text("newer")
    with pytest.raises(FileExistsError):
        files.publish(temporary, target, overwrite=False)
    assert (temporary.read_text(), target.read_text()) == ("newer", "new")


def test_missing_directories_are_made_private(tmp_path: Path) -> None:
    files.make_directories(tmp_path / "a" / "b")
    files.make_directories(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "RT312"),
        (errno.EDQUOT, "RT312"),
        (errno.EACCES, "RT311"),
        (errno.EPERM, "RT311"),
        (errno.EROFS, "RT311"),
    ],
)
def test_problem_of_the_machine_has_a_code_and_names_the_path(tmp_path: Path, number: int, code: str) -> None:
    problem = files.problem_of(OSError(number, os.strerror(number)), tmp_path / "not there" / "file")
    assert problem is not None
    assert problem.code == code
    assert str(tmp_path) in problem.message
    assert problem.hint
    assert "unknown" not in problem.message


def test_other_errors_are_no_problem_of_the_machine(tmp_path: Path) -> None:
    assert files.problem_of(OSError(errno.EIO, "io"), tmp_path) is None


def test_temporary_names_differ_and_name_their_owner(tmp_path: Path) -> None:
    names = {files.temporary_name() for _ in range(20)}
    assert len(names) == 20
    assert all(owner.parse(name.rpartition(".")[0]) == owner.current() for name in names)


def test_file_of_a_living_owner_is_no_leftover(tmp_path: Path) -> None:
    (tmp_path / f".x.{files.temporary_name()}").touch()
    [entry] = os.scandir(tmp_path)
    assert not files.is_leftover(entry, datetime(2100, 1, 1, tzinfo=UTC), prefix=".x.")
