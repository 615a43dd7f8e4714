"""Repositories of earlier versions stay readable, and the format is what its document says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runner.base import cancel, clock, generated
from runner.locations import directory
from runner.registry.driver import Extent
from runner.repository import access, check, repository, volumes
from tests.golden.repositories import independent
from tests.property.test_volumes import BLOCK, MIB, Image, export, restored, same
from tests.unit.repository.making import CHEAP, START, contents, counted_bytes, noise, point, put

GOLDEN = Path(__file__).parent / "repositories" / "v1"
PASSPHRASE = "correct horse"
STREAM = [noise("chunk", 3000), b"a line of text\n" * 200]
VOLUME = Image(
    1024 * MIB + 5000, {0: b"\1" * BLOCK, 20: noise("block", BLOCK), 262144: b"\2" * BLOCK, 262145: b"\3" * 904}
)
VOLUME.blocks[262145] = VOLUME.blocks[262145].ljust(BLOCK, b"\0")


def write(root: Path) -> repository.Repository:
    """Write the repository, the same on every machine."""
    time = clock.FakeClock(START)
    repo = access.create(
        directory.Directory(root), PASSPHRASE, clock=time, random=counted_bytes("golden"), kdf=CHEAP, workers=1
    )
    with repo.writer(token="stream token", cancel=cancel.CancelToken(), run="7kq2m9xw") as writer:
        ids = list(writer.add_all(STREAM))
        stream = writer.finish({"kind": "stream", "source": "a dump", "roots": ids, "facts": {"command": "dump"}})
    changed = Image(VOLUME.size_bytes, {**VOLUME.blocks, 0: b"\4" * BLOCK})
    base = export(repo, changed, "first volume token").export
    volume = export(repo, VOLUME, "volume token", base, iter([Extent(offset=0, length=BLOCK)]))
    repo.put_point(point("abcdefgh", stream, volume.export))
    repo.delete_export(base)
    return repo


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture
def golden_repository(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.config.getoption("--update-golden"):
        shutil.rmtree(GOLDEN, ignore_errors=True)
        write(GOLDEN)
        for path in GOLDEN.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert GOLDEN.is_dir(), "run with --update-golden"
    return Path(shutil.copytree(GOLDEN, tmp_path / "golden"))


def test_golden_repository_is_read(golden_repository: Path) -> None:
    repo = access.open(directory.Directory(golden_repository), PASSPHRASE, clock=clock.FakeClock())
    found = repo.point("abc")
    stream, volume = (reference.export for reference in found.exports)
    assert found == point("abcdefgh", stream, volume)
    assert contents(repo, stream) == STREAM
    assert repo.manifest(stream).facts == {"command": "dump"}
    assert same(restored(repo, volume), VOLUME)
    assert repo.find_export("first volume token") is None
    report = check.check(repo, read_data=True)
    assert (report.problems, report.unused_packs) == ((), 0)


def test_writing_with_the_same_randomness_gives_the_golden_repository(golden_repository: Path, tmp_path: Path) -> None:
    written = tmp_path / "written"
    repo = write(written)
    expected, actual = tree(golden_repository), tree(written)
    assert sorted(actual) == sorted(expected)
    for name in expected:
        # What zstd makes of a content may differ from version to version; lengths and offsets follow from it.
        if not name.startswith(("data/", "index/")):
            assert actual[name] == expected[name], name
    one = independent.Repository(golden_repository, PASSPHRASE)
    two = independent.Repository(written, PASSPHRASE)
    # The order within a pack depends on which thread was faster.
    assert places(one) == places(two)
    for chunk, record in one.records.items():
        if record[6] != 3:
            assert one.chunk(chunk) == two.chunk(chunk)
    assert repo.id == one.id.hex()


def test_independent_reader_opens_with_a_generated_passphrase(tmp_path: Path) -> None:
    passphrase = generated.passphrase()
    repo = access.create(directory.Directory(tmp_path), passphrase, clock=clock.FakeClock(START))
    put(repo, "token", STREAM[0])
    assert independent.Repository(tmp_path, passphrase).master == repo.keys.master


def places(repo: independent.Repository) -> dict[bytes, tuple[bytes, int, int]]:
    """Return pack, plain length and kind of each chunk."""
    return {chunk: (record[0], record[3], record[6]) for chunk, record in repo.records.items()}


def test_reader_written_from_the_document_reads_the_golden_repository(golden_repository: Path) -> None:
    repo = independent.Repository(golden_repository, PASSPHRASE)
    stored = repo.small("points/abcdefgh")
    assert (stored["blueprint"], stored["inputs"]["depth"]) == ("first", 3)
    stream, volume = (repo.export(reference["export"]) for reference in stored["exports"])
    assert [repo.chunk(chunk) for chunk in stream["roots"]] == STREAM
    assert volume["body"] == {"size": VOLUME.size_bytes, "chunkSize": 65536, "level": 3}
    target = Image(VOLUME.size_bytes)
    for offset, content in repo.volume(volume).items():
        target.write(offset, content)
    assert same(target, VOLUME)
    for name in {record[0].hex() for record in repo.records.values()}:
        for entry in repo.directory(name):
            assert entry[0] in repo.records
    (awaited,) = (golden_repository / "gc" / "pending").iterdir()
    assert awaited.name == stored["exports"][0]["export"]
    assert repo.small(f"gc/pending/{awaited.name}") == {"run": "7kq2m9xw", "stored": True}
    (deleted,) = (golden_repository / "gc" / "deleted").iterdir()
    (place,) = repo.small(f"gc/deleted/{deleted.name}")["manifests"]
    assert [place["ordinal"]] == [
        record[4] for record in repo.records.values() if record[0] == place["pack"] and record[6] == 3
    ]


def test_changing_a_volume_did_not_move_the_base(golden_repository: Path) -> None:
    repo = access.open(directory.Directory(golden_repository), PASSPHRASE, clock=clock.FakeClock())
    volume = repo.point("abcdefgh").exports[1]
    assert repo.manifest(volume.export).bytes_read == 65536
    assert volumes.size_of(repo, volume.export) == VOLUME.size_bytes
