from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runner.base import clock as clocks
from runner.base import errors, owner
from runner.locations import descriptors, directory
from runner.registry import location

# Puts an object and is killed where the operating system would have written the data to the disk.
KILLED_PUT = """
import os, signal, sys
from runner.locations import directory
os.fdatasync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
directory.Directory(sys.argv[1]).put("a/b", [b"x" * 100_000])
"""


def killed_put(root: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED_PUT, str(root)], check=False, env={**os.environ})
    assert ended.returncode == -signal.SIGKILL


def all_files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_put_killed_in_the_middle_leaves_nothing_that_is_seen(tmp_path: Path) -> None:
    killed_put(tmp_path)
    store = directory.Directory(tmp_path)
    assert list(store.list("")) == []
    store.put("a/b", [b"again"])
    assert store.get("a/b") == b"again"


def test_sweep_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    killed_put(tmp_path)
    killed_put(tmp_path)
    store = directory.Directory(tmp_path)
    assert len(all_files(tmp_path)) == 2
    assert store.sweep() == 2
    assert all_files(tmp_path) == []
    assert store.sweep() == 0


def leftover(root: Path, made_by: owner.Owner, age_s: float = 0.0) -> Path:
    """Leave a temporary file as this owner would have."""
    (root / "~tmp").mkdir(exist_ok=True)
    path = root / "~tmp" / f"{made_by}.abcdefgh~"
    path.write_bytes(b"half")
    os.utime(path, (path.stat().st_mtime - age_s,) * 2)
    return path


def changed(made_by: owner.Owner, **facts: int | str) -> owner.Owner:
    return owner.Owner(
        **{name: facts.get(name, getattr(made_by, name)) for name in ("host", "boot", "namespace", "pid", "started")}
    )


@pytest.mark.parametrize(
    ("facts", "age_s", "swept"),
    [
        ({}, 1e6, False),
        ({"started": 1}, 0, True),
        ({"pid": 2**22 + 1}, 0, True),
        ({"boot": "0" * 32}, 0, True),
        ({"boot": "0" * 32, "host": "other"}, 3600, False),
        ({"boot": "0" * 32, "host": "other"}, 90_000, True),
        ({"namespace": 1}, 3600, False),
        ({"namespace": 1}, 90_000, True),
    ],
    ids=[
        "this process", "reused pid", "no such pid", "before a restart",
        "another machine, lately", "another machine, long ago",
        "another container, lately", "another container, long ago",
    ],
)  # fmt: skip
def test_sweep_removes_only_what_nobody_will_finish(
    tmp_path: Path, facts: dict[str, int | str], age_s: float, swept: bool
) -> None:
    path = leftover(tmp_path, changed(owner.current(), **facts), age_s)
    assert directory.Directory(tmp_path).sweep() == int(swept)
    assert path.exists() is not swept


def test_sweep_leaves_files_of_other_names(tmp_path: Path) -> None:
    (tmp_path / "~tmp").mkdir()
    for name in ("notes", "a.b~", "1.2.3.4.x.abc~", "~"):
        (tmp_path / "~tmp" / name).write_text("keep")
    assert directory.Directory(tmp_path).sweep() == 0


def test_disk_that_is_fuller_than_allowed_takes_no_more_exports(small_disk: Path) -> None:
    store = directory.Directory(small_disk / "store", max_used_percent=50)
    store.check_room()
    store.put("large", [os.urandom(600_000)])
    with pytest.raises(errors.EnvironmentProblem) as caught:
        store.check_room()
    assert caught.value.code == "RT312"
    assert "exports stop at 50 %" in caught.value.message
    assert "maxUsedPercent" in caught.value.hint
    store.put("lock", [b"1"])
    directory.Directory(small_disk / "store").check_room()


@pytest.mark.parametrize(("refusals", "written"), [(3, True), (99, False)])
def test_share_that_calls_a_file_busy_is_asked_again_for_a_while(
    refusals: int, written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, left, replace = clocks.FakeClock(), [refusals], Path.replace

    def busy(self: Path, target: Path) -> Path:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.EBUSY, "is busy")
        return replace(self, target)

    store = directory.Directory(tmp_path, clock=time)
    store.put("a", [b"1"])
    monkeypatch.setattr(Path, "replace", busy)
    if written:
        store.put("a", [b"2"], overwrite=True)
        assert time.monotonic() == pytest.approx(0.3)
    else:
        with pytest.raises(location.LocationUnavailable):
            store.put("a", [b"2"], overwrite=True)
        assert 1 < time.monotonic() < 5
    assert store.get("a") == (b"2" if written else b"1")


def test_open_file_is_closed_before_it_is_replaced(tmp_path: Path) -> None:
    store = directory.Directory(tmp_path)
    store.put("a", [b"1"])
    store.read_into("a", 0, memoryview(bytearray(1)))
    (held,) = store._descriptors._files.values()
    store.put("a", [b"2"], overwrite=True)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(held.descriptor)


def test_link_whose_answer_was_lost_has_been_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def lose_the_answer(*arguments: Any, **options: Any) -> None:
        link(*arguments, **options)
        link(*arguments, **options)

    monkeypatch.setattr(os, "link", lose_the_answer)
    store = directory.Directory(tmp_path)
    store.put("a", [b"1"])
    assert store.get("a") == b"1"
    assert all_files(tmp_path) == ["a"]
    with pytest.raises(location.ObjectExists):
        store.put("a", [b"2"])


def test_file_that_the_server_has_forgotten_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = directory.Directory(tmp_path)
    store.put("a", [b"12345"])
    target = bytearray(3)
    store.read_into("a", 0, memoryview(target))
    read, stale = os.preadv, [True]

    def forget_once(*arguments: Any) -> int:
        if stale:
            stale.clear()
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return read(*arguments)

    monkeypatch.setattr(os, "preadv", forget_once)
    store.read_into("a", 2, memoryview(target))
    assert bytes(target) == b"345"


def test_file_that_stays_stale_is_unavailable_for_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = directory.Directory(tmp_path)
    store.put("a", [b"12345"])

    def forget(*_: Any) -> int:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(os, "preadv", forget)
    with pytest.raises(location.LocationUnavailable):
        store.read_into("a", 0, memoryview(bytearray(1)))


def test_what_an_nfs_client_keeps_of_removed_files_is_not_listed(tmp_path: Path) -> None:
    store = directory.Directory(tmp_path)
    store.put("data/a", [b"1"])
    (tmp_path / "data" / ".nfs0000000000a1b2c300000001").write_bytes(b"removed while it was open")
    assert [info.name for info in store.list("")] == ["data/a"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_share_that_cannot_flush_directories_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    store = directory.Directory(tmp_path)
    store.put("a/b", [b"1"])
    assert store.get("a/b") == b"1"


def test_full_disk_is_reported_and_nothing_stays(small_disk: Path) -> None:
    store = directory.Directory(small_disk / "store")
    store.put("kept", [b"k" * 1000])
    with pytest.raises(errors.EnvironmentProblem) as caught:
        store.put("large", [os.urandom(600_000), os.urandom(600_000)])
    assert caught.value.code == "RT312"
    assert str(small_disk) in caught.value.message
    assert "free" in caught.value.message
    assert all_files(small_disk / "store") == ["kept"]
    store.put("large", [os.urandom(600_000)])


def test_missing_permission_is_reported(as_ordinary_user: Path) -> None:
    root = as_ordinary_user / "store"
    store = directory.Directory(root)
    store.put("a", [b"1"])
    (root / "~tmp").chmod(0o500)
    with pytest.raises(errors.EnvironmentProblem) as caught:
        store.put("b", [b"2"])
    (root / "~tmp").chmod(0o700)
    assert caught.value.code == "RT311"
    assert str(root) in caught.value.message
    assert [info.name for info in store.list("")] == ["a"]


def test_unreadable_object_is_reported(as_ordinary_user: Path) -> None:
    store = directory.Directory(as_ordinary_user)
    store.put("a", [b"1"])
    (as_ordinary_user / "a").chmod(0)
    for read in (lambda: store.get("a"), lambda: store.read_into("a", 0, memoryview(bytearray(1)))):
        with pytest.raises(errors.EnvironmentProblem) as caught:
            read()
        assert caught.value.code == "RT311"


def test_path_through_a_file_is_an_error_of_the_location(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(location.LocationError) as caught:
        directory.Directory(tmp_path / "file" / "store").put("a", [b"1"])
    assert caught.value.code == "RT400"


def test_files_and_directories_are_private(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        directory.Directory(tmp_path / "deep" / "store").put("a/b", [b"1"])
    finally:
        os.umask(previous)
    for path in (tmp_path / "deep").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_what_else_lies_there_is_no_object(tmp_path: Path) -> None:
    store = directory.Directory(tmp_path)
    store.put("data/a", [b"1"])
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "lost+found" / "x").write_text("x")
    (tmp_path / "read me.txt").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    assert [info.name for info in store.list("")] == ["data/a"]


def test_overwrite_by_another_process_is_seen(tmp_path: Path) -> None:
    ours, theirs = directory.Directory(tmp_path), directory.Directory(tmp_path)
    target = bytearray(3)
    ours.put("a", [b"one"])
    theirs.read_into("a", 0, memoryview(target))
    for text in (b"two", b"six"):
        ours.put("a", [text], overwrite=True)
        theirs.read_into("a", 0, memoryview(target))
        assert bytes(target) == text
    ours.delete("a")
    with pytest.raises(location.ObjectMissing):
        theirs.read_into("a", 0, memoryview(target))


def open_files(below: Path) -> list[str]:
    held = (os.readlink(entry.path) for entry in os.scandir("/proc/self/fd") if os.path.lexists(entry.path))
    return [path for path in held if path.startswith(str(below))]


def test_number_of_open_files_is_bounded_and_all_are_closed_in_the_end(tmp_path: Path) -> None:
    cache = descriptors.Descriptors(most=3)
    for number in range(10):
        (tmp_path / str(number)).write_bytes(bytes([number]))
    with cache.open(str(tmp_path / "0")) as held:
        for number in range(10):
            with cache.open(str(tmp_path / str(number))) as descriptor:
                assert os.pread(descriptor, 1, 0) == bytes([number])
        assert os.pread(held, 1, 0) == b"\0"
        assert len(open_files(tmp_path)) == 4
    assert len(open_files(tmp_path)) == 3
    del cache
    assert open_files(tmp_path) == []


def test_descriptors_stay_open_while_threads_use_them(tmp_path: Path) -> None:
    cache = descriptors.Descriptors(most=1)
    for number in range(4):
        (tmp_path / str(number)).write_bytes(bytes([number]) * 10)
    wrong = []

    def read(number: int) -> None:
        for _ in range(300):
            with cache.open(str(tmp_path / str(number))) as descriptor:
                if os.pread(descriptor, 10, 0) != bytes([number]) * 10:
                    wrong.append(number)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(open_files(tmp_path)) == 1


def test_sweep_takes_the_time_from_the_clock(tmp_path: Path) -> None:
    foreign = changed(owner.current(), boot="0" * 32, host="other")
    leftover(tmp_path, foreign)
    long_ago = clocks.FakeClock(datetime(2000, 1, 1, tzinfo=UTC))
    far_ahead = clocks.FakeClock(datetime(2100, 1, 1, tzinfo=UTC))
    assert directory.Directory(tmp_path, clock=long_ago).sweep() == 0
    assert directory.Directory(tmp_path, clock=far_ahead).sweep() == 1


def test_relative_path_is_fixed_when_the_location_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = directory.Directory("store")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.put("a", [b"1"])
    assert (Path(tmp_path) / "store" / "a").exists()
