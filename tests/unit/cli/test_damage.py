"""A damaged index is warned of and hinders nothing that only reads; a damaged pack hinders no pruning."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runner.base import codes
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli import sample_points
from tests.unit.cli.conftest import Cli
from tests.unit.repository.making import noise


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


def test_pruning_leaves_a_damaged_pack_alone_and_says_so(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    papers = blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    for name in "abcdefgh":
        (papers / name).write_bytes(noise(name, 60_000))
    assert cli("exec", "blueprint.yaml").code == 0
    first = cli("restore-points", "list", "-o", "json").rows[0]["id"]
    for name in "abcdefg":
        (papers / name).unlink()
    assert cli("exec", "blueprint.yaml").code == 0
    assert cli("restore-points", "delete", first).code == 0
    pack = max((state_dir / "repository" / "data").glob("*/*"), key=lambda path: path.stat().st_size)
    data = pack.read_bytes()
    pack.chmod(0o600)
    pack.write_bytes(bytes(byte ^ 1 for byte in data[:480_000]) + data[480_000:])

    pruned = cli("repository", "prune", "--unfinished", "0s")

    assert pruned.code == codes.exit_of("RT415") == 1
    assert "kept 471.6 KiB: 2 packs" in pruned.out
    assert "1 pack of the repository" in pruned.err
    assert "`runner repository check --read-data`" in pruned.err
    assert pack.exists()
