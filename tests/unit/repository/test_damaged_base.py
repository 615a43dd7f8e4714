"""An export whose base is damaged or gone reads everything, says so, and relies on nothing that is damaged."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.base import cancel, ids
from runner.registry import driver
from runner.repository import (
    access,
    bases,
    check,
    crypto,
    exports,
    failures,
    prune,
    records,
    repair,
    repository,
    tree_base,
    tree_page,
    verifying,
    volume_map,
    volumes,
)
from runner.repository import index as indexes
from tests.property.test_volumes import Image, restored, same
from tests.unit.repository import tree_samples
from tests.unit.repository.making import make, noise, point, reopen
from tests.unit.repository.test_damaged_index import DAMAGES, damage_segment

PAGES = 3


def image() -> Image:
    """Return a volume with several pages of its map."""
    blocks = {number * 64: noise(str(number), 4096) for number in range(32 * PAGES)}
    return Image(PAGES * 8 * 1024 * 1024, blocks)


def export_image(
    repo: repository.Repository,
    volume: Image,
    token: str,
    base: ids.ExportId | None,
    *changed: driver.Extent,
    warn: Callable[[str], None] = lambda _: None,
) -> exports.ExportResult:
    return volumes.export_volume(
        repo,
        volume,
        source="volume",
        token=token,
        base=base,
        changed=iter(changed),
        cancel=cancel.CancelToken(),
        progress=lambda *_: None,
        warn=warn,
    )


def spoil(repo: repository.Repository, record: records.Record, how: str) -> str:
    """Damage a chunk, or the whole pack in which it lies; return the pack."""
    name = records.pack_name(record.pack)
    data = bytearray(repo.location.get(name))
    if how == "missing":
        repo.location.delete(name)
        return name
    if how == "flipped":
        data[record.offset] ^= 1
    else:
        del data[record.offset + 5 :]
    repo.location.put(name, [bytes(data)], overwrite=True)
    return name


def last_of(repo: repository.Repository, kind: crypto.Kind) -> records.Record:
    """Return the chunk of a kind that is the last in its pack."""
    found = [record for part in repo.index.parts for record in part if record.kind == kind]
    return max(found, key=lambda record: record.offset)


def last_page(repo: repository.Repository, export: ids.ExportId) -> records.Record:
    """Return the page that holds the end of a volume."""
    root = repo.reader().chunk(repo.manifest(export).roots[0])
    return repo.index.locate(root[(PAGES - 1) * crypto.ID_SIZE : PAGES * crypto.ID_SIZE])


SPOILS = [(kind, how) for kind in ("page", "manifest") for how in ("flipped", "cut off", "missing")]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_volume_is_read_whole_beside_a_damaged_index(how: str) -> None:
    repo = make()
    base = export_image(repo, image(), "base", None).export
    repo.put_point(point("aaaaaaaa", base))
    (name,) = [info.name for info in repo.location.list("index/")]
    damage_segment(repo, how, name)
    warnings: list[str] = []
    made = export_image(reopen(repo), image(), "next", base, warn=warnings.append)
    assert (made.method, made.bytes_read) == ("full", 32 * PAGES * 65_536)
    # Nothing that only packs know is relied on.
    assert made.bytes_new == 32 * PAGES * 65_536 or how == "block"
    if how == "missing":
        assert made.reason == f"the earlier export {base} is gone"
    else:
        assert made.reason.startswith(f"the earlier export {base} cannot be relied on: {name} is damaged: ")
        assert warnings == [f"everything is read, because {made.reason}"]
    repo.put_point(point("bbbbbbbb", made.export))
    repair.repair(reopen(repo))
    assert same(restored(reopen(repo), made.export), image())
    assert check.check(reopen(repo), read_data=True).problems == ()


@pytest.mark.parametrize(("kind", "how"), SPOILS)
def test_a_volume_is_read_whole_when_its_base_is_damaged_and_what_is_damaged_is_stored_again(
    kind: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that some is read before the damage shows.
    monkeypatch.setattr(volume_map, "_AHEAD", 1)
    repo = make()
    volume = image()
    base = export_image(repo, volume, "base", None).export
    repo.put_point(point("aaaaaaaa", base))
    pack = spoil(repo, last_page(repo, base) if kind == "page" else last_of(repo, crypto.Kind.MANIFEST), how)
    volume.blocks[0] = noise("new", 4096)
    changed = [driver.Extent(offset=0, length=volume.size_bytes)]
    warnings: list[str] = []
    made = export_image(reopen(repo), volume, "next", base, *changed, warn=warnings.append)
    assert (made.method, made.bytes_read) == ("full", 32 * PAGES * 65_536)
    assert made.reason.startswith(f"the earlier export {base} cannot be relied on: {pack} is damaged: ")
    assert warnings == [f"everything is read, because {made.reason}"]
    assert same(restored(reopen(repo), made.export), volume)
    assert verifying.verify_export(reopen(repo), made.export, cancel=cancel.CancelToken(), progress=lambda *_: None)
    # The next one builds on this one.
    again = export_image(reopen(repo), volume, "again", made.export, *changed)
    assert (again.method, again.bytes_new) == ("changed", 0)


@pytest.mark.parametrize("how", DAMAGES)
def test_files_are_all_read_beside_a_damaged_index(tmp_path: Path, how: str) -> None:
    bench, top = files(tmp_path)
    base = bench.backup(top).export
    bench.repo.put_point(point("aaaaaaaa", base))
    (name,) = [info.name for info in bench.repo.location.list("index/")]
    damage_segment(bench.repo, how, name)
    bench.repo = opened(bench)
    made = bench.backup(top, base=base)
    assert (made.method, made.bytes_read) == ("full", 60 * 3000)
    if how == "missing":
        assert (made.reason, bench.warnings) == (f"the earlier export {base} is gone", [])
    else:
        assert made.reason.startswith(f"the earlier export {base} cannot be relied on: {name} is damaged: ")
        assert bench.warnings == [f"everything is read, because {made.reason}"]
    repair.repair(opened(bench))
    assert_comes_back(bench, made.export, top)


@pytest.mark.parametrize("how", ["flipped", "cut off", "missing"])
def test_files_are_all_read_when_their_list_is_damaged(tmp_path: Path, how: str) -> None:
    bench, top = files(tmp_path)
    base = bench.backup(top).export
    bench.repo.put_point(point("aaaaaaaa", base))
    pack = spoil(bench.repo, last_of(bench.repo, crypto.Kind.NODE), how)
    bench.repo = opened(bench)
    made = bench.backup(top, base=base)
    assert (made.method, made.bytes_read) == ("full", 60 * 3000)
    assert made.reason.startswith(f"the earlier export {base} cannot be relied on: {pack} is damaged: ")
    assert bench.warnings == [f"everything is read, because {made.reason}"]
    bench.repo = opened(bench)
    assert_comes_back(bench, made.export, top)
    bench.warnings.clear()
    bench.repo = opened(bench)
    assert (bench.backup(top, base=made.export).method, bench.warnings) == ("changed", [])


def test_what_is_left_out_is_told_once_though_the_walk_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, top = files(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(top / "0-socket"))
    base = bench.backup(top).export
    (told,) = bench.warnings
    pages = tree_base.pages

    def damaged_behind_the_first(*where: Any) -> Iterator[tree_page.Page]:
        yield next(pages(*where))
        raise failures.damaged("data/00/00", "it is too short")

    monkeypatch.setattr(tree_base, "pages", damaged_behind_the_first)
    (top / "new").write_bytes(b"new")
    made = bench.backup(top, base=base)
    assert made.method == "full"
    assert bench.warnings == [told, told, f"everything is read, because {made.reason}"]


def files(tmp_path: Path) -> tuple[tree_samples.Bench, Path]:
    """Return a bench, and a directory whose list has several nodes."""
    top = tmp_path / "top"
    top.mkdir()
    for number in range(60):
        (top / f"{number:03}").write_bytes(noise(str(number), 3000))
        os.utime(top / f"{number:03}", (1, 1))
    return tree_samples.Bench(tmp_path), top


def opened(bench: tree_samples.Bench) -> repository.Repository:
    return access.open(bench.repo.location, "passphrase", clock=bench.repo.clock)


def assert_comes_back(bench: tree_samples.Bench, export: ids.ExportId, top: Path) -> None:
    target = bench.scratch / "restored"
    bench.restore(export, target)
    assert tree_samples.account(target / "top") == tree_samples.account(top)


def test_an_export_that_finds_out_on_its_way_that_the_index_is_not_whole_reads_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repo = make()
    volume = image()
    base = export_image(repo, volume, "base", None).export
    repo.put_point(point("aaaaaaaa", base))
    (name,) = [info.name for info in repo.location.list("index/")]
    other = reopen(repo)
    other.index.refresh()
    find = other.index.find_all

    def damaging(*args: Any, **options: Any) -> list[records.Record]:
        found = find(*args, **options)
        damage_segment(repo, "block", name)
        return found

    monkeypatch.setattr(other.index, "find_all", damaging)
    monkeypatch.setattr(indexes, "_CACHED_BLOCKS", 0)
    made = export_image(other, volume, "next", base, driver.Extent(offset=0, length=65_536))
    assert (made.method, made.bytes_read) == ("full", 32 * PAGES * 65_536)
    assert f"{name} is damaged" in made.reason


def test_damage_that_shows_when_the_base_was_read_already_is_not_built_on() -> None:
    repo = make()
    base = export_image(repo, image(), "base", None).export
    repo.put_point(point("aaaaaaaa", base))
    (name,) = [info.name for info in repo.location.list("index/")]
    other = reopen(repo)
    built: list[str] = []

    def build(found: exports.Manifest | None, reason: str) -> int:
        if found is not None:
            damage_segment(repo, "block", name)
            assert list(other.index.entries()) == []
        built.append(reason)
        return len(built)

    assert bases.build(other, base, build, lambda _: None) == 2
    assert built[0] == ""
    assert f"{name} is damaged" in built[1]


@pytest.mark.parametrize("spoiled", [0, 1])
def test_of_a_chunk_that_was_stored_again_either_copy_will_do(spoiled: int) -> None:
    repo = make()
    names = ("aaaaaaaa", "bbbbbbbb")
    repo.put_point(point(names[0], export_pages(repo, "a")))
    other = reopen(repo)
    first = {part.name for part in other.index.parts}
    for pack in {record.pack for part in other.index.parts for record in part}:
        other.index.trust.distrust(pack)
    other.put_point(point(names[1], export_pages(other, "b")))
    pages = [(part.name not in first, record) for part in other.index.parts for record in part if is_page(record)]
    copies = [record for _, record in sorted(pages)]
    spoil(repo, copies[spoiled], "flipped")
    for name in names:
        assert_readable(reopen(repo), name)
    # Of all that is in the other pack, no more than the good copy is needed.
    repo.delete_point(repo.point(names[1 - spoiled]).id)
    prune.prune(reopen(repo), unfinished=timedelta(0))
    assert check.check(reopen(repo), read_data=False).problems == ()
    assert_readable(reopen(repo), names[spoiled])
    spoil(repo, copies[1 - spoiled], "flipped")
    with pytest.raises(failures.RepositoryDamaged, match="data/"):
        list(reopen(repo).reader().read([copies[0].id]))


def assert_readable(repo: repository.Repository, name: str) -> None:
    export = repo.point(name).exports[0].export
    assert verifying.verify_export(repo, export, cancel=cancel.CancelToken(), progress=lambda *_: None)
    (page,) = repo.reader().read(repo.manifest(export).roots)
    data = [page[start : start + crypto.ID_SIZE] for start in range(0, len(page), crypto.ID_SIZE)]
    assert list(repo.reader().read(data)) == [noise(str(number), 500) for number in range(5)]


def is_page(record: records.Record) -> bool:
    return record.kind == crypto.Kind.PAGE


def export_pages(repo: repository.Repository, token: str) -> ids.ExportId:
    """Make an export of one page that refers to five chunks of data."""
    with repo.writer(token=token, cancel=cancel.CancelToken()) as writer:
        data = writer.store([noise(str(number), 500) for number in range(5)])
        pages = writer.store([b"".join(data)], crypto.Kind.PAGE)
        return writer.finish({"kind": "volume", "source": "test", "roots": pages})
