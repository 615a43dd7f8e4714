"""Example 04: a raw volume, exported in block mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def blueprint(examples: Path) -> Path:
    return examples / "04-volume" / "blueprint.yaml"


def test_second_export_stores_only_what_changed(runner: Any, blueprint: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume.img"
    (first,) = runner.exec(blueprint, "--set", f"volume={volume}").run["restorePoints"]

    (second,) = runner.exec(blueprint, "--set", f"volume={volume}").run["restorePoints"]

    assert first["bytesNew"] > 40 << 20
    assert 0 < second["bytesNew"] < 1 << 20
    assert second["bytesRead"] < 1 << 20
    assert len(list(tmp_path.rglob("*.snapshots/*"))) == 1


def test_every_restore_point_restores_its_own_moment(runner: Any, blueprint: Path, tmp_path: Path) -> None:
    volume, moments = tmp_path / "volume.img", {}
    for _ in range(2):
        (point,) = runner.exec(blueprint, "--set", f"volume={volume}").run["restorePoints"]
        moments[point["id"]] = volume.read_bytes()

    for number, (point, content) in enumerate(moments.items()):
        target = tmp_path / f"restored-{number}.img"
        runner.exec(blueprint, "--action", "restore", "--from", point, "--set", f"target={target}")
        assert target.read_bytes() == content
        assert target.stat().st_blocks * 512 < 48 << 20

    assert len(set(moments.values())) == 2


def test_deleting_the_first_restore_point_leaves_the_second_whole(runner: Any, blueprint: Path, tmp_path: Path) -> None:
    volume, target = tmp_path / "volume.img", tmp_path / "restored.img"
    points = [runner.exec(blueprint, "--set", f"volume={volume}").run["restorePoints"][0]["id"] for _ in range(2)]

    assert runner("restore-points", "delete", points[0]).code == 0
    assert runner("repository", "prune").code == 0

    runner.exec(blueprint, "--action", "verify")
    runner.exec(blueprint, "--action", "restore", "--set", f"target={target}")
    assert target.read_bytes() == volume.read_bytes()


def test_restore_refuses_an_existing_volume(runner: Any, blueprint: Path, tmp_path: Path) -> None:
    runner.exec(blueprint, "--set", f"volume={tmp_path / 'volume.img'}")
    target = tmp_path / "precious.img"
    target.write_bytes(b"precious")

    refused = runner.exec(blueprint, "--action", "restore", "--set", f"target={target}", code=4)

    assert refused.run["error"]["code"] == "RT310"
    assert target.read_bytes() == b"precious"
