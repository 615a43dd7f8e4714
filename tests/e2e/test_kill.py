"""`kill -9` at any moment, of the runner, of its reaper, of both, followed by a resume, ends in the same result.

The seeds make the moments; a failure prints them. `RUNNER_KILL_MOMENTS="5+3.2ms:runner,9+0ms:both"` replays some. The
examples with database servers are killed in the tests of these servers.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import conftest, killing

TOP = Path(__file__).resolve().parents[2]


def bank(directory: Path) -> killing.Example:
    """Files and a SQLite database; the restore itself checks the database's books."""

    def compare(restore: dict[str, Any]) -> None:
        restored = Path(restore["phases"][0]["outputs"]["target"])
        assert tree(restored / "documents") == tree(directory / "data" / "documents")

    blueprint = directory / "blueprint.yaml"
    return killing.Example(
        backup=(str(blueprint), "--set", "seconds=0.1"), restore=(str(blueprint),), records=(16, 12), compare=compare
    )


def volume(directory: Path) -> killing.Example:
    """A raw image, its snapshot and its export."""

    def compare(restore: dict[str, Any]) -> None:
        restored = Path(restore["phases"][0]["outputs"]["target"])
        assert sha256(restored) == sha256(directory / "data" / "volume.img")
        held = [*(directory / "data").rglob("*.snapshots/*")]
        assert len(held) == 1, "only the snapshot of the last backup stays, as the base of the next"

    blueprint = str(directory / "blueprint.yaml")
    return killing.Example(backup=(blueprint,), restore=(blueprint,), records=(15, 11), compare=compare)


def chain(directory: Path) -> killing.Example:
    """Several databases of one application, with a foreach, a cleanup, a revert and conditions."""

    def compare(restore: dict[str, Any]) -> None:
        restored = Path(restore["phases"][1]["outputs"]["target"]).parent
        assert tree(restored / "photos" / "photos") == tree(directory / "data" / "photos")
        assert [each["key"] for each in restore["phases"] if each["key"]] == ["harbour", "hill", "market", "station"]
        assert not (directory / "data" / "closed").exists(), "the chain is closed"
        book = (directory / "data" / "book.txt").read_text().split()
        assert book == sorted(set(book)), "every backup stands in the book once"
        assert all(run.startswith("b00000") for run in book)

    blueprint = str(directory / "blueprint.yaml")
    return killing.Example(
        backup=(blueprint, "--set", "seconds=0.1"), restore=(blueprint,), records=(45, 18), compare=compare
    )


EXAMPLES = {"01-first-backup": bank, "04-volume": volume, "05-parallel": chain}


def tree(path: Path) -> dict[str, tuple[int, int, str]]:
    """Return what a tree holds: type and mode, modification time, content or target."""
    found = {}
    for item in sorted(path.rglob("*")):
        about = item.lstat()
        content = os.readlink(item) if item.is_symlink() else sha256(item) if item.is_file() else ""
        found[str(item.relative_to(path))] = (about.st_mode, about.st_mtime_ns, content)
    return found


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def survive(
    name: str, dice: random.Random, tmp_path: Path, record: killing.Record, *, each: tuple[int, int] = (1, 2)
) -> None:
    source = tmp_path / name
    shutil.copytree(TOP / "examples" / name, source, ignore=shutil.ignore_patterns("data", "restored"))
    bed = killing.Bed(state=tmp_path / "state", cwd=tmp_path, environment={"PYTHONPATH": str(TOP)})
    if name != "01-first-backup":  # whose first backup makes the repository, which is killed too
        conftest.make_repository(bed.state)
    killing.survive(bed, EXAMPLES[name](source), dice, record, each=each)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_killed_run_ends_as_if_nothing_had_happened(
    name: str, tmp_path: Path, record_property: killing.Record
) -> None:
    survive(name, random.Random(f"{name} 0"), tmp_path, record_property, each=(2, 2))


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(100, 124))
@pytest.mark.parametrize("name", EXAMPLES)
def test_hundreds_of_kills(name: str, seed: int, tmp_path: Path, record_property: killing.Record) -> None:
    survive(name, random.Random(f"{name} {seed}"), tmp_path, record_property)


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("name", EXAMPLES)
def test_kills_at_moments_that_nobody_chose(
    name: str, turn: int, tmp_path: Path, record_property: killing.Record
) -> None:
    survive(name, random.SystemRandom(turn), tmp_path, record_property)
