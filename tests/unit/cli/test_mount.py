"""`runner repository mount`: a server that comes up, tells how to use it, and leaves nothing."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.nbd import client
from tests.servers import processes
from tests.unit.cli import sample_points, test_output_schemas
from tests.unit.cli.conftest import Cli


@contextlib.contextmanager
def mounted(*arguments: str) -> Iterator[Any]:
    """Run the server until the block ends; yield what it said."""
    words = [sys.executable, "-m", "runner", "repository", "mount", *arguments, "-o", "json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("\n}\n"):
            line = process.stdout.readline()
            assert line, said
            said += line
        try:
            yield json.loads(said)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0


def whole(uri_socket: str, name: str) -> bytes:
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(uri_socket)
    with client.Connection(connected, name) as connection:
        data = bytearray(connection.size_bytes)
        connection.read_into(0, memoryview(data))
        return bytes(data)


def test_volumes_and_streams_are_served_and_the_socket_is_private(shop: sample_points.Shop, tmp_path: Path) -> None:
    place = tmp_path / "s.sock"
    with mounted(shop.point, "--socket", str(place)) as said:
        test_output_schemas.check("outputs/repository-mount", said)
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert [found["path"] for found in said["exports"]] == ["dump/orders", "disk"]
        assert whole(str(place), "disk") == whole(str(place), "") == (shop.directory / "disk.img").read_bytes()
        assert whole(str(place), "dump/orders") == sample_points.DUMP
    assert not place.exists()


def test_a_file_of_a_tree_is_served_alone(shop: sample_points.Shop) -> None:
    with mounted(shop.point, "files/papers/sparse") as said:
        directory = Path(said["place"]).parent
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert whole(said["place"], "files/papers/sparse") == (shop.directory / "papers" / "sparse").read_bytes()
    assert not directory.exists()


def test_a_port_of_this_machine_alone(shop: sample_points.Shop) -> None:
    with mounted(shop.point, "disk", "--port", "0") as said:
        host, _, port = said["place"].rpartition(":")
        assert host == "127.0.0.1"
        with client.Connection(socket.create_connection((host, int(port))), "disk") as connection:
            assert connection.size_bytes == sample_points.DISK


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("POINT nothing", 1, "error[RT430]"),
        ("POINT files", 1, "error[RT430]: files is a tree of files"),
        ("POINT --socket letter", 4, "error[RT310]"),
        ("POINT --socket missing/s.sock", 4, "error[RT311]: there can be no socket at"),
        (f"POINT --socket {'x' * 120}", 4, "error[RT311]: the path of the socket is longer"),
        ("POINT --port 1 --socket s", 2, "error[RT101]: --socket and --port exclude each other"),
        ("POINT --port 70000", 2, "error[RT101]"),
    ],
)
def test_wrong_wishes_are_told(
    cli: Cli, shop: sample_points.Shop, tmp_path: Path, arguments: str, code: int, said: str
) -> None:
    (tmp_path / "letter").write_text("in the way")
    answer = cli("repository", "mount", *arguments.replace("POINT", shop.point).split())
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err


def test_a_taken_port_is_told(cli: Cli, shop: sample_points.Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = cli("repository", "mount", shop.point, "--port", taken.getsockname()[1])
    assert (answer.code, "error[RT311]: port" in answer.err) == (4, True)


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def fishy_point(cli: Cli, directory: Path) -> str:
    """Back up a disk with a file system and a file in it, `disk.img`; return the restore point."""
    sample_points.make(directory)
    disk = directory / "disk.img"
    disk.unlink()
    with disk.open("wb") as image:
        image.truncate(32 << 20)
    subprocess.run([program("mkfs.ext4"), "-q", "-F", disk], check=True)
    (directory / "fish").write_text("a fish\n" * 10_000)
    subprocess.run([program("debugfs"), "-w", "-R", f"write {directory}/fish fish", disk], check=True)
    return sample_points.backup(cli, directory)


def unmount(place: Path) -> None:
    subprocess.run([program("fusermount"), "-u", place], check=True)


@pytest.mark.server("nbdfuse")
def test_a_file_is_copied_from_a_file_system_that_is_mounted_without_root(cli: Cli, tmp_path: Path) -> None:
    needed = [program(name) for name in ("nbdfuse", "fuse2fs")]
    if not Path("/dev/fuse").exists():
        pytest.skip("there is no /dev/fuse here")
    point = fishy_point(cli, tmp_path)
    image, files = tmp_path / "image", tmp_path / "files"
    image.mkdir()
    files.mkdir()
    with mounted(point, "--socket", str(tmp_path / "s.sock")) as said, contextlib.ExitStack() as stack:
        uri = next(found["uri"] for found in said["exports"] if found["path"] == "disk")
        fuse = processes.running(
            [needed[0], "-r", str(image / "disk.img"), uri], tmp_path / "nbdfuse.log", (image / "disk.img").exists
        )
        stack.enter_context(fuse)
        stack.callback(unmount, image)
        subprocess.run([needed[1], "-o", "ro", image / "disk.img", files], check=True)
        stack.callback(unmount, files)
        assert (files / "fish").read_text() == "a fish\n" * 10_000


@pytest.mark.server("qemu-img")
def test_a_file_is_fished_out_of_a_file_system_by_other_programs(cli: Cli, tmp_path: Path) -> None:
    point, disk = fishy_point(cli, tmp_path), tmp_path / "disk.img"
    with mounted(point, "--socket", str(tmp_path / "s.sock")) as said:
        uri = next(found["uri"] for found in said["exports"] if found["path"] == "disk")
        subprocess.run([program("qemu-img"), "convert", "-O", "raw", uri, tmp_path / "copy.img"], check=True)
        read = ["-c", "read -P 0x53 1080 1", "-c", "read -P 0xef 1081 1"]  # the number by which ext4 is known
        subprocess.run([program("qemu-io"), "-r", "-f", "raw", *read, uri], check=True)
        extents = json.loads(
            subprocess.run([program("qemu-img"), "map", "--output=json", uri], check=True, capture_output=True).stdout
        )
    assert (tmp_path / "copy.img").read_bytes() == disk.read_bytes()
    assert (tmp_path / "copy.img").stat().st_blocks * 512 < 16 << 20
    assert any(extent["zero"] for extent in extents)
    subprocess.run([program("debugfs"), "-R", f"dump fish {tmp_path}/out", tmp_path / "copy.img"], check=True)
    assert (tmp_path / "out").read_text() == "a fish\n" * 10_000
