"""A damaged index is warned of, and in the way of nothing that only reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.cli import sample_points
from tests.unit.cli.conftest import Cli


def test_reading_goes_on_with_a_warning_and_pruning_refuses_until_the_repair(
    cli: Cli, shop: sample_points.Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shop.state, tmp_path / "copy")
    monkeypatch.setenv("RUNNER_STATE_DIR", str(tmp_path / "copy"))
    names = [path.name for path in (tmp_path / "copy" / "repository" / "index").iterdir()]
    for name in names:
        path = tmp_path / "copy" / "repository" / "index" / name
        path.chmod(0o600)
        path.write_bytes(b"damaged")
    read = cli("restore-points", "verify")
    assert read.code == 0, read.err
    for name in names:
        assert read.err.count(f"warning: index/{name} is damaged: it is too short") == 1
    assert "`runner repository repair`" in read.err
    checked = cli("repository", "check")
    assert (checked.code, "gone from" in checked.out) == (1, False)
    assert "hint: run `runner repository repair" in checked.err
    pruned = cli("repository", "prune")
    assert (pruned.code, "error[RT415]: index/" in pruned.err) == (1, True)
    assert cli("repository", "repair").code == 0
    assert cli("repository", "prune").code == 0
    assert "warning" not in cli("restore-points", "verify").err
