"""Example 04: a raw volume, exported in block mode."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import conftest as e2e

BLUEPRINT = e2e.TOP / "examples" / "04-volume" / "blueprint.yaml"


@dataclass(frozen=True, kw_only=True)
class Backups:
    """A volume that was backed up twice: what the runs said, and its content at both moments by restore point."""

    state: Path
    volume: Path
    points: tuple[Mapping[str, Any], ...]
    moments: Mapping[str, bytes]


@pytest.fixture(scope="module")
def backups(tmp_path_factory: pytest.TempPathFactory) -> Backups:
    place = tmp_path_factory.mktemp("volume")
    runner, volume = e2e.Runner(state=place / "state"), place / "data" / "volume.img"
    runner.init()
    points, moments = [], {}
    for _ in range(2):
        (point,) = runner.exec(BLUEPRINT, "--set", f"volume={volume}").run["restorePoints"]
        points.append(point)
        moments[point["id"]] = volume.read_bytes()
    return Backups(state=runner.state, volume=volume, points=tuple(points), moments=moments)


def test_second_export_stores_only_what_changed(backups: Backups) -> None:
    first, second = backups.points

    assert first["bytesNew"] > 40 << 20
    assert 0 < second["bytesNew"] < 1 << 20
    assert second["bytesRead"] < 1 << 20
    assert len(list(backups.volume.parent.rglob("*.snapshots/*"))) == 1


def test_every_restore_point_restores_its_own_moment(backups: Backups, tmp_path: Path) -> None:
    runner = e2e.Runner(state=backups.state)
    for number, (point, content) in enumerate(backups.moments.items()):
        target = tmp_path / f"restored-{number}.img"
        runner.exec(BLUEPRINT, "--action", "restore", "--from", point, "--set", f"target={target}")
        assert target.read_bytes() == content
        assert target.stat().st_blocks * 512 < 48 << 20

    assert len(set(backups.moments.values())) == 2


def test_deleting_the_first_restore_point_leaves_the_second_whole(
    runner: e2e.Runner, backups: Backups, tmp_path: Path
) -> None:
    shutil.copytree(backups.state, runner.state)
    target = tmp_path / "restored.img"

    assert runner("restore-points", "delete", backups.points[0]["id"]).code == 0
    assert runner("repository", "prune").code == 0

    runner.exec(BLUEPRINT, "--action", "verify")
    runner.exec(BLUEPRINT, "--action", "restore", "--set", f"target={target}")
    assert target.read_bytes() == backups.volume.read_bytes()


def test_restore_refuses_an_existing_volume(backups: Backups, tmp_path: Path) -> None:
    target = tmp_path / "precious.img"
    target.write_bytes(b"precious")

    refused = e2e.Runner(state=backups.state).exec(
        BLUEPRINT, "--action", "restore", "--set", f"target={target}", code=4
    )

    assert refused.run["error"]["code"] == "RT310"
    assert target.read_bytes() == b"precious"
