"""Example 06: a qcow2 image, snapshotted within itself and exported by its dirty bitmap, with the programs of QEMU."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import qemu
from tests.e2e import killing

pytestmark = pytest.mark.server("qemu")


@pytest.fixture(autouse=True)
def programs() -> None:
    qemu.needed()


@pytest.fixture
def blueprint(examples: Path) -> Path:
    return examples / "06-qcow2" / "blueprint.yaml"


def content(image: Path) -> bytes:
    raw = image.with_suffix(".raw")
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw], check=True)
    return raw.read_bytes()


def inside(image: Path) -> tuple[list[str], list[str]]:
    """Return the snapshots and the bitmaps in an image, which has to be sound."""
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", image], check=True)
    done = subprocess.run(["qemu-img", "info", "--output=json", image], check=True, capture_output=True)
    info = json.loads(done.stdout)
    bitmaps = info["format-specific"]["data"].get("bitmaps", [])
    return [one["name"] for one in info.get("snapshots", [])], [one["name"] for one in bitmaps]


def test_second_export_reads_only_what_the_bitmap_has_recorded(runner: Any, blueprint: Path, tmp_path: Path) -> None:
    volume = tmp_path / "disk.qcow2"
    first = runner.exec(blueprint, "--set", f"volume={volume}").outputs("export")

    second = runner.exec(blueprint, "--set", f"volume={volume}").outputs("export")

    assert (first["method"], first["blocks"]) == ("full", "allocated")
    assert 40 << 20 < first["bytesRead"] < 48 << 20
    assert (second["method"], second["blocks"]) == ("changed", "changed")
    assert second["bytesRead"] == second["bytesNew"] < 1 << 20
    assert second["bytesSkipped"] == (64 << 20) - second["bytesRead"]
    snapshots, bitmaps = inside(volume)
    assert len(snapshots) == len(bitmaps) == 1, "only what the next export compares with stays"


def test_every_restore_point_restores_its_own_moment(runner: Any, blueprint: Path, tmp_path: Path) -> None:
    volume, moments = tmp_path / "disk.qcow2", {}
    for _ in range(3):
        (point,) = runner.exec(blueprint, "--set", f"volume={volume}").run["restorePoints"]
        moments[point["id"]] = content(volume)

    for number, (point, expected) in enumerate(moments.items()):
        target = tmp_path / f"restored-{number}.qcow2"
        runner.exec(blueprint, "--action", "restore", "--from", point, "--set", f"target={target}")
        assert content(target) == expected
        assert target.stat().st_blocks * 512 < 48 << 20
        assert inside(target) == ([], [])

    assert len(set(moments.values())) == 3


def test_bitmap_that_a_crash_left_behind_leads_to_a_full_read_that_says_so(
    runner: Any, blueprint: Path, tmp_path: Path
) -> None:
    volume = tmp_path / "disk.qcow2"
    runner.exec(blueprint, "--set", f"volume={volume}")
    guest = subprocess.Popen(
        ["qemu-io", "-f", "qcow2", volume], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert guest.stdin is not None
    assert guest.stdout is not None
    guest.stdin.write("write -P 7 0 64k\n")
    guest.stdin.flush()
    assert "wrote" in guest.stdout.readline() + guest.stdout.readline()
    guest.kill()
    guest.wait()
    guest.stdin.close()
    guest.stdout.close()

    after = runner.exec(blueprint, "--set", f"volume={volume}").outputs("export")

    assert (after["method"], after["blocks"]) == ("rescan", "allocated")
    assert "is in use by a running guest, or by one that ended without writing it back" in after["reason"]
    assert after["bytesNew"] < 1 << 20
    again = runner.exec(blueprint, "--set", f"volume={volume}").outputs("export")
    assert again["method"] == "changed"


def test_restore_replaces_an_existing_image_only_if_allowed(runner: Any, blueprint: Path, tmp_path: Path) -> None:
    volume, target = tmp_path / "disk.qcow2", tmp_path / "precious.qcow2"
    runner.exec(blueprint, "--set", f"volume={volume}")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", target, "1M"], check=True)
    onto = ("--action", "restore", "--set", f"target={target}")

    refused = runner.exec(blueprint, *onto, code=4)
    assert refused.run["error"]["code"] == "RT310"
    assert content(target) == bytes(1 << 20)

    runner.exec(blueprint, *onto, "--overwrite")
    assert content(target) == content(volume)


def test_missing_program_is_named_with_the_line_that_installs_it(
    runner: Any, blueprint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = tmp_path / "disk.qcow2"
    runner.exec(blueprint, "--set", f"volume={volume}")
    point = runner.exec(blueprint, "--set", f"volume={volume}").run["restorePoints"][0]["id"]
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))

    failed = runner.exec(blueprint, "--action", "restore", "--from", point, code=4)

    assert failed.run["error"]["code"] == "RT205"
    assert "qemu-img" in failed.run["error"]["message"]
    assert "apt-get install --no-install-recommends qemu-utils" in failed.run["error"]["hint"]


@pytest.fixture
def guest(runner: Any, blueprint: Path, tmp_path: Path) -> Iterator[qemu.Guest]:
    """A guest with an image that was backed up once while it was turned off."""
    running = qemu.Guest(tmp_path / "disk.qcow2")
    runner.exec(blueprint, "--set", f"volume={running.image}")
    running.start()
    yield running
    running.stop()


def test_running_guest_is_backed_up_by_what_it_has_written(
    runner: Any, blueprint: Path, guest: qemu.Guest, tmp_path: Path
) -> None:
    before = guest.read()
    guest.write(before[:100_000] + b"written by the guest" + before[100_020:])
    moment = guest.read()

    one = runner.exec(blueprint, "--set", f"guest={guest.volume}")
    guest.write(b"later" + moment[5:])
    two = runner.exec(blueprint, "--set", f"guest={guest.volume}")
    first, second = one.outputs("export"), two.outputs("export")

    # The second volume goes by another name, so it has no earlier export; the third is compared with the second.
    assert (first["method"], first["blocks"]) == ("full", "allocated")
    assert (second["method"], second["bytesRead"]) == ("changed", 65_536)
    assert [path.suffix for path in tmp_path.glob(".disk.qcow2.snapshots/*")].count(".qcow2") == 0
    restored = tmp_path / "restored.qcow2"
    for done, expected in ((one, moment), (two, guest.read())):
        onto = ("--overwrite", "--set", f"target={restored}", "--from", done.run["restorePoints"][0]["id"])
        runner("exec", blueprint, "--action", "restore", *onto)  # whose check refuses what no app.py has written
        assert content(restored) == expected


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(12))
def test_killed_runs_end_as_if_nothing_had_happened(
    examples: Path, tmp_path: Path, seed: int, record_property: killing.Record
) -> None:
    source = tmp_path / "06-qcow2"
    shutil.copytree(examples / "06-qcow2", source, ignore=shutil.ignore_patterns("data", "restored"))

    def compare(restore: dict[str, Any]) -> None:
        image = source / "data" / "disk.qcow2"
        assert content(Path(restore["phases"][0]["outputs"]["target"])) == content(image)
        snapshots, bitmaps = inside(image)
        assert len(snapshots) == len(bitmaps) == 1, (
            "only the snapshot of the last backup stays, as the base of the next"
        )
        assert sorted(path.suffix for path in source.rglob("*.snapshots/*")) == [".json"]
        assert serving(source) == []

    bed = killing.Bed(state=tmp_path / "state", cwd=tmp_path, environment={"PYTHONPATH": str(examples.parent)})
    blueprint = str(source / "blueprint.yaml")
    example = killing.Example(backup=(blueprint,), restore=(blueprint,), records=(15, 11), compare=compare)
    killing.survive(bed, example, random.Random(f"qcow2 {seed}"), record_property)


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(6))
def test_killed_backups_leave_nothing_in_a_guest(
    examples: Path, tmp_path: Path, seed: int, record_property: killing.Record
) -> None:
    source = tmp_path / "06-qcow2"
    shutil.copytree(examples / "06-qcow2", source, ignore=shutil.ignore_patterns("data", "restored"))
    guest = qemu.Guest(source / "data" / "disk.qcow2")
    subprocess.run([sys.executable, source / "app.py", "write", guest.image], check=True)
    guest.start()

    def compare(restore: dict[str, Any]) -> None:
        assert content(Path(restore["phases"][0]["outputs"]["target"])) == guest.read()
        assert sorted(path.suffix for path in source.rglob("*.snapshots/*")) == [".json"]
        guest.stop()
        snapshots, bitmaps = inside(guest.image)
        assert (snapshots, len(bitmaps)) == ([], 1), "only the bitmap stays, as the base of the next backup"
        assert serving(source) == []

    bed = killing.Bed(state=tmp_path / "state", cwd=tmp_path, environment={"PYTHONPATH": str(examples.parent)})
    blueprint = str(source / "blueprint.yaml")
    backup = (blueprint, "--set", f"guest={guest.volume}")
    example = killing.Example(backup=backup, restore=(blueprint,), records=(15, 11), compare=compare)
    try:
        killing.survive(bed, example, random.Random(f"guest {seed}"), record_property)
    finally:
        guest.stop()


def serving(directory: Path) -> list[str]:
    """Return the processes that still work on something in a directory."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if any(str(directory) in word for word in words) and process.pid != os.getpid():
            found.append(" ".join(words))
    return [words for words in found if "qemu" in words]
