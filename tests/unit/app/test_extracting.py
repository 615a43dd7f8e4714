"""Taking a part of a restore point reads little more than that part."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.app import extracting
from runner.base import cancel
from runner.locations import memory
from runner.model.restore_point import RestorePoint
from runner.repository import repository
from tests.unit.repository import making, tree_samples

MIB = 1 << 20


class Counting(memory.Memory):
    """A location that counts the bytes that are read from packs."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes_read = 0

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        self.bytes_read += len(target) if name.startswith("data/") else 0
        super().read_into(name, offset, target)


@pytest.fixture
def place() -> Counting:
    return Counting()


@pytest.fixture
def made(place: Counting, tmp_path: Path) -> tuple[repository.Repository, RestorePoint]:
    """Back up 12 files of 1 MiB that have nothing in common."""
    papers = tmp_path / "papers"
    papers.mkdir()
    for number in range(12):
        (papers / f"{number}.bin").write_bytes(random.Random(number).randbytes(MIB))
    repo = making.make(place)
    bench = tree_samples.Bench(scratch=tmp_path, repo=repo)
    export = bench.backup(papers).export
    point = making.point("aaaaaaaa", export)
    return repo, replace(point, exports=(replace(point.exports[0], kind="tree"),))


def test_little_more_is_read_than_what_was_chosen(
    place: Counting, made: tuple[repository.Repository, RestorePoint], tmp_path: Path
) -> None:
    repo, point = made
    place.bytes_read = 0
    selection = extracting.select(repo, point, ["7.bin"])
    told: list[tuple[int, int | None]] = []
    extracting.extract(
        repo,
        selection,
        tmp_path / "out",
        overwrite=False,
        cancel=cancel.CancelToken(),
        report=lambda done, total: told.append((done, total)),
    )
    assert (tmp_path / "out" / "phase0" / "papers" / "7.bin").read_bytes() == random.Random(7).randbytes(MIB)
    assert MIB <= place.bytes_read < 1.5 * MIB
    assert told[0] == (0, MIB)
    assert told[-1] == (MIB, MIB)


def test_a_large_file_reports_on_the_way(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    with (papers / "large").open("wb") as large:
        large.truncate(40 * MIB)
        for offset in range(0, 40 * MIB, 4 * MIB):
            large.seek(offset)
            large.write(b"x")
    bench = tree_samples.Bench(scratch=tmp_path, repo=making.make())
    point = making.point("aaaaaaaa", bench.backup(papers).export)
    point = replace(point, exports=(replace(point.exports[0], kind="tree"),))
    told: list[int] = []
    extracting.extract(
        bench.repo,
        extracting.select(bench.repo, point, []),
        tmp_path / "out",
        overwrite=False,
        cancel=cancel.CancelToken(),
        report=lambda done, total: told.append(done),
    )
    assert len({done for done in told if 0 < done < 40 * MIB}) >= 3
    assert told[-1] == 40 * MIB


def test_files_of_neighbouring_directories_stay_apart(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    for name in ("one", "three", "two"):
        (papers / name).mkdir(parents=True)
        (papers / name / "wanted").write_text(name)
        (papers / name / "other").write_text(name)
    bench = tree_samples.Bench(scratch=tmp_path, repo=making.make())
    point = making.point("aaaaaaaa", bench.backup(papers).export)
    point = replace(point, exports=(replace(point.exports[0], kind="tree"),))
    extracting.extract(
        bench.repo,
        extracting.select(bench.repo, point, ["**/one/wanted", "**/two/wanted"]),
        tmp_path / "out",
        overwrite=False,
        cancel=cancel.CancelToken(),
        report=lambda done, total: None,
    )
    out = tmp_path / "out"
    found = {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}
    assert found == {"phase0/papers/one/wanted": "one", "phase0/papers/two/wanted": "two"}
