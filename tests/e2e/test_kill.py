"""`kill -9` at any moment, of the runner, of its reaper, of both, followed by a resume, ends in the same result.

The seeds make the moments; a failure prints them. `RUNNER_KILL_MOMENTS="5+3.2ms:runner,9+0ms:both"` replays some.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.killing import Bed, Moment

TOP = Path(__file__).resolve().parents[2]
RUNS = ("b0000001", "b0000002", "r0000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example, and how its restored data is compared with its source.

    Attributes:
        options: Further arguments of a backup.
        records: About how many records the journal of a backup and of a restore have.
    """

    name: str
    options: tuple[str, ...]
    records: tuple[int, int]
    compare: Callable[[Path, Path], None]


def _compare_bank(source: Path, restored: Path) -> None:
    """The documents did not change since, so they are equal; the database's books were checked by the restore itself."""
    assert tree(restored / "documents") == tree(source / "data" / "documents")


def _compare_volume(source: Path, restored: Path) -> None:
    assert sha256(restored) == sha256(source / "data" / "volume.img")


EXAMPLES = {
    example.name: example
    for example in (
        Example(name="01-first-backup", options=("--set", "seconds=0.1"), records=(16, 12), compare=_compare_bank),
        Example(name="04-volume", options=(), records=(15, 11), compare=_compare_volume),
    )
}


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


def survive(example: Example, tmp_path: Path, dice: random.Random) -> int:
    """Back up twice and restore, each killed a few times; returns how often something was killed."""
    source = tmp_path / example.name
    shutil.copytree(TOP / "examples" / example.name, source, ignore=shutil.ignore_patterns("data", "restored"))
    bed = Bed(state=tmp_path / "state", cwd=tmp_path, environment={"PYTHONPATH": str(TOP)})
    blueprint = str(source / "blueprint.yaml")
    for run in RUNS[:2]:
        bed.run_killed(run, _moments(dice, example.records[0]), blueprint, *example.options)
    restore = bed.run_killed(RUNS[2], _moments(dice, example.records[1]), blueprint, "--action", "restore")

    points = [point["run"] for point in bed.json_lines("restore-points", "list")]
    assert sorted(points) == sorted(RUNS[:2]), bed.report("one restore point for each backup")
    example.compare(source, _restored(restore))
    bed.call("repository", "check", "--read-data")
    bed.call("repository", "prune")
    assert bed.leftovers() == [], bed.report("something is left over")
    bed.call("exec", blueprint, "--action", "verify")
    return len(bed.kills)


def _moments(dice: random.Random, records: int) -> list[Moment]:
    told = os.environ.get("RUNNER_KILL_MOMENTS")
    if told:
        return [Moment.parse(text) for text in told.split(",")]
    return [Moment.draw(dice, records) for _ in range(dice.randint(1, 2))]


def _restored(run: dict[str, list[dict[str, dict[str, str]]]]) -> Path:
    outputs = run["phases"][0]["outputs"]
    return Path(outputs.get("target") or outputs["volume"])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("example", EXAMPLES)
def test_a_killed_run_ends_as_if_nothing_had_happened(example: str, seed: int, tmp_path: Path) -> None:
    assert survive(EXAMPLES[example], tmp_path, random.Random(f"{example} {seed}")) > 0


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(100, 140))
@pytest.mark.parametrize("example", EXAMPLES)
def test_hundreds_of_kills(example: str, seed: int, tmp_path: Path) -> None:
    survive(EXAMPLES[example], tmp_path, random.Random(f"{example} {seed}"))
