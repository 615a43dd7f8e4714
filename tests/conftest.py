"""What all tests share: golden files, and conditions that need a file system or a user of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import hypothesis
import pytest
from xdist.scheduler import worksteal  # type: ignore[import-untyped]

from runner.repository import access, keys, keyslots
from tests import privileges
from tests.servers import azurite, ceph, s3, seaweedfs
from tests.unit.repository.making import CHEAP

Golden: TypeAlias = Callable[[Path, str], None]


# A slow or busy machine is no failure, and a checkout that cannot be written is none either.
hypothesis.settings.register_profile("runner", deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("runner")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; then read the diff")


def pytest_configure(config: pytest.Config) -> None:
    """Let the commands that tests start find byte code, as those of an installed runner do."""
    if os.environ.get("PYTHONDONTWRITEBYTECODE") and not hasattr(config, "workerinput"):
        place = tempfile.TemporaryDirectory(prefix="runner-test-bytecode-")
        config.add_cleanup(place.cleanup)
        del os.environ["PYTHONDONTWRITEBYTECODE"]
        os.environ["PYTHONPYCACHEPREFIX"] = place.name


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Let a process without tests take some from another one: a few tests are much longer than the others."""
    return worksteal.WorkStealingScheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how often runs were killed: the campaign promises a number."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    kills = [number for report in reports for name, number in report.user_properties if name == "kills"]
    if kills:
        terminalreporter.write_line(f"runs were killed {sum(kills)} times in {len(kills)} tests")


@pytest.fixture(scope="session", autouse=True)
def usual_costs() -> Iterator[Sequence[keyslots.KdfCost]]:
    """Let passphrases cost nothing where a test says no cost, since most tests are shorter; gives the usual costs."""
    makers: Sequence[Any] = (access.create, keys.add, keys.change)
    usual = [make.__kwdefaults__["kdf"] for make in makers]
    with pytest.MonkeyPatch.context() as patch:
        for make in makers:
            patch.setitem(make.__kwdefaults__, "kdf", CHEAP)
        yield usual


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with a golden file, or write the file anew with `--update-golden`."""

    def compare(path: Path, actual: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(actual, encoding="utf-8")
        assert path.is_file(), f"{path.name} is missing: run with --update-golden"
        assert actual == path.read_text(encoding="utf-8")

    return compare


@contextlib.contextmanager
def _mounted(place: Path, *arguments: str) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    place.mkdir()
    mounted = subprocess.run(["mount", *arguments, str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB without reflinks."""
    with _mounted(tmp_path / "small disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as place:
        yield place


@pytest.fixture
def reflink_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that shares blocks between files."""
    program = shutil.which("mkfs.xfs") or shutil.which("mkfs.btrfs")
    if program is None:
        pytest.skip("neither mkfs.xfs nor mkfs.btrfs is installed: apt-get install xfsprogs")
    image = tmp_path / "reflink.image"
    image.touch()
    os.truncate(image, 320 << 20)
    subprocess.run([program, "-q", str(image)], check=True, capture_output=True)
    with _mounted(tmp_path / "reflink disk", "-o", "loop", str(image)) as place:
        yield place


@pytest.fixture
def loop_device(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Make block devices of some size, all zero, each of a sparse file."""
    program = shutil.which("losetup")
    if os.geteuid() != 0 or program is None:
        pytest.skip("making a block device needs root and losetup")
    made: list[str] = []

    def make(size_bytes: int) -> Path:
        image = tmp_path / f"device-{len(made)}"
        image.touch()
        os.truncate(image, size_bytes)
        attached = subprocess.run([program, "-f", "--show", str(image)], capture_output=True, text=True, check=False)
        if attached.returncode != 0:
            pytest.skip(f"no block device can be made here: {attached.stderr.strip()}")
        made.append(attached.stdout.strip())
        return Path(made[-1])

    try:
        yield make
    finally:
        for device in made:
            subprocess.run([program, "-d", device], check=True)


@pytest.fixture
def as_ordinary_user() -> Iterator[Path]:
    """Let the test go on as a user without privileges; gives a directory that this user owns."""
    with privileges.given_up() as place:
        yield place


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.S3Server]:
    """A real S3 server with a bucket."""
    if seaweedfs.program() is None:
        pytest.skip(f"SeaweedFS is missing: {seaweedfs.INSTALL}")
    with seaweedfs.started(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def ceph_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ceph.Cluster]:
    """A cluster of Ceph without pools."""
    if not ceph.is_installed():
        pytest.skip(f"Ceph is missing: {ceph.INSTALL}")
    with ceph.started(tmp_path_factory.mktemp("ceph")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def ceph_gateway(ceph_cluster: ceph.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.S3Server]:
    """The object gateway of Ceph with a bucket."""
    with ceph.gateway(ceph_cluster, tmp_path_factory.mktemp("radosgw")) as server:
        yield server


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[azurite.Azurite]:
    """An emulator of Azure Blob Storage with a container."""
    if azurite.program() is None:
        pytest.skip(f"Azurite is missing: {azurite.INSTALL}")
    with azurite.started(tmp_path_factory.mktemp("azurite")) as server:
        yield server
