"""restore(backup(x)) == x, for everything that a file system can hold."""

from __future__ import annotations

import os
import random
import resource
import shutil
import socket
import stat
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base import clock as clocks
from runner.repository import tree_descent
from tests import effort
from tests.unit.repository import tree_samples

MTIME = 1_600_000_000_123_456_789


@pytest.fixture
def bench(tmp_path: Path) -> tree_samples.Bench:
    return tree_samples.Bench(tmp_path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    return directory


def assert_restored(bench: tree_samples.Bench, source: Path, target: Path) -> None:
    before = tree_samples.account(source)
    result = bench.backup(source)
    bench.restore(result.export, target)
    assert tree_samples.account(target / source.name) == before


def test_ordinary_files_come_back(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    (source / "empty").touch()
    (source / "small").write_text("small")
    (source / "directory" / "below").mkdir(parents=True)
    (source / "directory" / "file").write_bytes(random.Random(1).randbytes(300_000))
    (source / "directory" / "below").chmod(0o750)
    os.utime(source / "directory" / "below", ns=(MTIME, MTIME))
    os.utime(source / "directory", ns=(MTIME + 1, MTIME + 1))
    (source / "small").chmod(0o4711)
    assert_restored(bench, source, tmp_path / "target")
    assert bench.warnings == []


def test_names_are_bytes(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    top = os.fsencode(source)
    for name in [b"new\nline", b"not utf-8 \xff\xfe", b" leading", "äöü".encode(), b"-rf", b"\\", b"~", b"x" * 255]:
        with open(os.path.join(top, name), "wb") as file:
            file.write(name)
    os.mkdir(os.path.join(top, b"directory \x80"))
    assert_restored(bench, source, tmp_path / "target")


def test_symbolic_links_are_kept_as_they_are(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    (source / "loop").symlink_to("loop")
    (source / "dangling").symlink_to("/nowhere/at/all")
    (source / "up").symlink_to("..")
    os.utime(source / "up", ns=(MTIME, MTIME), follow_symlinks=False)
    assert_restored(bench, source, tmp_path / "target")


def test_hard_links_are_links_again_across_directories(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    (source / "a").mkdir()
    (source / "b").mkdir()
    (source / "a" / "first").write_bytes(b"shared" * 50_000)
    os.link(source / "a" / "first", source / "b" / "second")
    os.link(source / "a" / "first", source / "third")
    (source / "link").symlink_to("a")
    os.link(source / "link", source / "link2", follow_symlinks=False)
    os.link(source / "a" / "first", tmp_path / "outside")
    assert_restored(bench, source, tmp_path / "target")


@pytest.mark.parametrize(
    ("size", "data"),
    [
        (64 << 20, [(5 << 20, 3000)]),
        (1 << 20, []),
        (3 << 20, [(0, 4096), (1 << 20, 500_000)]),
        ((1 << 20) + 17, [((1 << 20) - 4096, 4113)]),
        (32_768, []),
    ],
)
def test_holes_cost_nothing_and_come_back_as_holes(
    bench: tree_samples.Bench, source: Path, tmp_path: Path, size: int, data: list[tuple[int, int]]
) -> None:
    with (source / "sparse").open("wb") as file:
        file.truncate(size)
        for offset, length in data:
            os.pwrite(file.fileno(), random.Random(offset).randbytes(length), offset)
    before = tree_samples.account(source)
    result = bench.backup(source)
    assert result.bytes_read <= sum(length for _, length in data) + len(data) * 8192
    bench.restore(result.export, tmp_path / "target")
    assert tree_samples.account(tmp_path / "target" / "source") == before


def test_a_long_list_of_chunks_needs_pages(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    (source / "large").write_bytes(random.Random(2).randbytes(12 << 20))
    with (source / "holes").open("wb") as file:
        for number in range(40):
            os.pwrite(file.fileno(), bytes([number + 1]) * 5000, number << 18)
    assert_restored(bench, source, tmp_path / "target")


def test_fifos_come_back_and_sockets_are_left_out_with_a_warning(
    bench: tree_samples.Bench, source: Path, tmp_path: Path
) -> None:
    os.mkfifo(source / "fifo", 0o620)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(source / "socket"))
    server.close()
    os.utime(source, ns=(MTIME, MTIME))
    result = bench.backup(source)
    assert bench.warnings == ["source/socket is a socket and was left out"]
    bench.restore(result.export, tmp_path / "target")
    restored = tree_samples.account(tmp_path / "target" / "source")
    assert stat.S_ISFIFO(int(str(restored[b"fifo"]["mode"]), 8))
    assert b"socket" not in restored


@pytest.mark.skipif(os.geteuid() != 0, reason="owners and device files need root")
def test_owners_and_devices_come_back(bench: tree_samples.Bench, source: Path, tmp_path: Path) -> None:
    (source / "file").write_text("x")
    os.chown(source / "file", 12345, 54321)
    (source / "file").chmod(0o6755)
    (source / "link").symlink_to("file")
    os.chown(source / "link", 7, 8, follow_symlinks=False)
    try:
        os.mknod(source / "null", 0o660 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("device files cannot be made here")
    assert_restored(bench, source, tmp_path / "target")


def test_extended_attributes_and_access_lists_come_back(
    bench: tree_samples.Bench, source: Path, tmp_path: Path
) -> None:
    if not tree_samples.can_set_xattrs(tmp_path):
        pytest.skip("the file system has no extended attributes")
    (source / "file").write_text("x")
    (source / "directory").mkdir()
    os.setxattr(source / "file", b"user.na\xc3\xafve", b"\x00\xff value")
    os.setxattr(source / "directory", b"user.empty", b"")
    # Version 2; owner rw-, user 1 r-x, group r--, mask r-x, others ---.
    entries = [(0x01, 6, 0xFFFFFFFF), (0x02, 5, 1), (0x04, 4, 0xFFFFFFFF), (0x10, 5, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF)]
    access = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(source / "file", "system.posix_acl_access", access)
        os.setxattr(source / "directory", "system.posix_acl_default", access)
    except OSError:
        pytest.skip("the file system has no access lists")
    assert_restored(bench, source, tmp_path / "target")


def test_a_tree_deeper_than_descriptors_and_paths_comes_back(bench: tree_samples.Bench, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        make_deep(tmp_path / "deep", 1500)
        result = bench.backup(tmp_path / "deep")
        bench.restore(result.export, tmp_path / "target")
        assert depth_of(tmp_path / "target" / "deep") == 1500
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        # What pytest removes directories with cannot go that deep.
        with tree_descent.open_top(tmp_path) as descent:
            tree_descent.remove(descent.descriptor, b"deep")
            tree_descent.remove(descent.descriptor, b"target")


def make_deep(top: Path, levels: int) -> None:
    descriptor = os.open(top, os.O_RDONLY)
    for number in range(levels):
        os.mkdir("down", dir_fd=descriptor)
        below = os.open("down", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
        os.close(os.open(f"file{number}", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


def depth_of(top: Path) -> int:
    descriptor = os.open(top, os.O_RDONLY)
    depth = 0
    while "down" in os.listdir(descriptor):
        below = os.open("down", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
        assert f"file{depth}" in os.listdir(descriptor)
        depth += 1
    os.close(descriptor)
    return depth


def test_several_roots_lie_side_by_side_under_unique_names(bench: tree_samples.Bench, tmp_path: Path) -> None:
    for parent in ("one", "two"):
        (tmp_path / parent / "data").mkdir(parents=True)
        (tmp_path / parent / "data" / parent).write_text(parent)
    (tmp_path / "single.txt").write_text("a file")
    (tmp_path / "link").symlink_to("single.txt")
    result = bench.backup(
        tmp_path / "two" / "data", tmp_path / "one" / "data", tmp_path / "single.txt", tmp_path / "link"
    )
    bench.restore(result.export, tmp_path / "target")
    restored = {
        name: described.get("content")
        for name, described in tree_samples.account(tmp_path / "target").items()
        if "content" in described
    }
    assert restored == {
        b"data/two": b"two",
        b"data-2/one": b"one",
        b"single.txt": b"a file",
        b"link": b"a file",
    }


NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
CONTENTS = st.one_of(st.binary(max_size=200), st.integers(0, 200_000).map(lambda n: random.Random(n).randbytes(n)))
TREES = st.recursive(
    st.one_of(
        CONTENTS, st.tuples(st.just("link"), st.binary(min_size=1, max_size=20).filter(lambda t: b"\0" not in t))
    ),
    lambda below: st.dictionaries(NAMES, below, max_size=5),
    max_leaves=12,
)


def write_tree(place: bytes, tree: object, mode: int) -> None:
    match tree:
        case dict():
            os.mkdir(place)
            for name, below in tree.items():
                write_tree(os.path.join(place, name), below, mode)
            os.chmod(place, 0o700 | mode)
        case ("link", bytes(target)):
            os.symlink(target, place)
        case bytes():
            with open(place, "wb") as file:
                file.write(tree)
            os.chmod(place, 0o400 | mode)
            os.utime(place, ns=(mode, MTIME + mode))


@settings(max_examples=effort.examples(12), deadline=None)
@given(tree=st.dictionaries(NAMES, TREES, max_size=6), mode=st.integers(0, 0o777))
def test_any_tree_comes_back(tmp_path_factory: pytest.TempPathFactory, tree: dict[bytes, object], mode: int) -> None:
    scratch = tmp_path_factory.mktemp("any")
    write_tree(os.fsencode(scratch / "source"), tree, mode)
    bench = tree_samples.Bench(scratch)
    assert_restored(bench, scratch / "source", scratch / "target")


@settings(max_examples=effort.examples(12), deadline=None)
@given(
    trees=st.tuples(*[st.dictionaries(NAMES, TREES, max_size=6)] * 2),
    kept=st.dictionaries(NAMES, TREES, min_size=1, max_size=6),
)
def test_with_a_base_any_tree_is_listed_as_without(
    tmp_path_factory: pytest.TempPathFactory, trees: tuple[dict[bytes, object], ...], kept: dict[bytes, object]
) -> None:
    scratch = tmp_path_factory.mktemp("any")
    bench = tree_samples.Bench(scratch, tree_samples.new_repository(clocks.FakeClock()))
    source = scratch / "source"
    source.mkdir()
    write_tree(os.fsencode(source / "kept"), kept, 0)
    write_tree(os.fsencode(source / "other"), trees[0], 0)
    base = bench.backup(source).export
    shutil.rmtree(source / "other")
    write_tree(os.fsencode(source / "other"), trees[1], 0)
    roots = [bench.repo.manifest(bench.backup(source, base=each).export).roots for each in (base, None)]
    assert roots[0] == roots[1]
