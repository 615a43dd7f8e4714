from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from runner.base import cancel, errors, ids, own_places, temporary
from runner.registry import driver as contract
from runner.storage.file import driver as file_driver

MIB = 1 << 20

# Mode, owner, time, number of names, content.
Facts: TypeAlias = tuple[int, int, int, int, str | bytes | None]


def snapshot(volume: Path, token: cancel.CancelToken | None = None, **tags: str) -> contract.Snapshot:
    return file_driver.FileDriver().create_snapshot(str(volume), tags, token or cancel.CancelToken())


def everything_in(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def images_only(directory: Path) -> list[str]:
    return [name for name in everything_in(directory) if name != "disk.img"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(os.urandom(300_000))
    return path


class Meddling(cancel.CancelToken):
    """A token that lets something happen each time it is looked at."""

    def __init__(self, happen: Callable[[Meddling], None]) -> None:
        super().__init__()
        self.happen = happen
        self.looked = 0

    def raise_if_cancelled(self) -> None:
        self.looked += 1
        self.happen(self)
        super().raise_if_cancelled()


def flush(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


# How a snapshot is taken


def test_snapshot_is_a_reflink_where_the_file_system_can(reflink_disk: Path) -> None:
    image = reflink_disk / "disk.img"
    image.write_bytes(os.urandom(40 * MIB))
    flush(image)
    free = os.statvfs(reflink_disk).f_bfree
    taken = snapshot(image)
    flush(taken.path)
    assert taken.method == "reflink"
    assert (free - os.statvfs(reflink_disk).f_bfree) * os.statvfs(reflink_disk).f_frsize < 4 * MIB
    with image.open("r+b") as file:
        file.write(b"later")
    assert Path(taken.path).read_bytes()[:5] != b"later"


def test_snapshot_without_reflinks_says_so_by_name(small_disk: Path) -> None:
    (small_disk / "disk.img").write_bytes(b"data")
    assert snapshot(small_disk / "disk.img").method == "sparse copy: tmpfs has no reflinks"


def test_copy_of_a_sparse_image_is_sparse(small_disk: Path) -> None:
    image = small_disk / "disk.img"
    image.touch()
    os.truncate(image, 1 << 40)
    with image.open("r+b") as file:
        file.seek(1 << 39)
        file.write(b"somewhere")
    taken = snapshot(image)
    facts = Path(taken.path).stat()
    assert facts.st_size == taken.size_bytes == 1 << 40
    assert facts.st_blocks * 512 < 100_000
    with file_driver.FileDriver().open_snapshot(taken.id) as reader:
        [extent] = reader.allocated()
    assert extent.offset <= 1 << 39 < extent.end


def test_image_that_is_written_to_while_it_is_copied_is_refused(small_disk: Path) -> None:
    image = small_disk / "disk.img"
    image.write_bytes(b"1" * 1000)
    os.utime(image, (0, 0))

    def write(token: Meddling) -> None:
        if token.looked > 1:
            image.write_bytes(b"2" * 1000)

    with pytest.raises(contract.StorageUnavailable, match="written to"):
        snapshot(image, Meddling(write))
    assert images_only(small_disk) == []


def test_snapshot_cancelled_in_the_middle_leaves_nothing(small_disk: Path) -> None:
    (small_disk / "disk.img").write_bytes(b"1" * 1000)

    def cancel_it(token: Meddling) -> None:
        if token.looked > 1:
            token.cancel()

    with pytest.raises(errors.Cancelled):
        snapshot(small_disk / "disk.img", Meddling(cancel_it))
    assert images_only(small_disk) == []


def test_snapshot_on_a_full_disk_leaves_nothing(small_disk: Path) -> None:
    image = small_disk / "disk.img"
    content = os.urandom(700_000)
    image.write_bytes(content)
    with pytest.raises(errors.EnvironmentProblem) as caught:
        snapshot(image)
    assert caught.value.code == "RT312"
    assert everything_in(small_disk) == ["disk.img"]
    assert image.read_bytes() == content


def test_snapshot_beside_a_read_only_volume_is_refused(as_ordinary_user: Path) -> None:
    image = as_ordinary_user / "disk.img"
    image.write_bytes(b"data")
    as_ordinary_user.chmod(0o500)
    with pytest.raises(errors.EnvironmentProblem) as caught:
        snapshot(image)
    as_ordinary_user.chmod(0o700)
    assert caught.value.code == "RT311"


def test_snapshots_are_private_and_lie_beside_the_volume(image: Path) -> None:
    taken = snapshot(image)
    place = Path(taken.path)
    assert place.parent.parent == image.parent / ".disk.img.snapshots"
    assert taken.id == f"file:{place.parent}"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_last_snapshot_takes_its_directory_with_it(image: Path) -> None:
    first, second = snapshot(image), snapshot(image)
    file_driver.FileDriver().delete_snapshot(first.id)
    assert Path(second.path).exists()
    file_driver.FileDriver().delete_snapshot(second.id)
    assert everything_in(image.parent) == ["disk.img"]


def test_symbolic_link_stands_for_the_volume_it_points_to(image: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link"
    link.symlink_to(image)
    taken = snapshot(link)
    assert taken.volume == str(link)
    assert Path(taken.path).parent.parent.parent == image.parent
    assert file_driver.FileDriver().list_snapshots(str(image), {}) == [taken]


def test_snapshots_are_listed_after_the_volume_is_gone(image: Path) -> None:
    taken = snapshot(image, token=None, purpose="test")
    image.unlink()
    assert file_driver.FileDriver().list_snapshots(str(image), {"purpose": "test"}) == [taken]


def test_what_is_no_volume_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/")):
        with pytest.raises(contract.StorageError) as caught:
            snapshot(path)
        assert caught.value.code == "RT306"


def test_damaged_description_is_reported(image: Path) -> None:
    taken = snapshot(image)
    for text in ("", "{", "[]", json.dumps({"volume": "v"})):
        (Path(taken.path).parent / "snapshot.json").write_text(text)
        with pytest.raises(contract.StorageError, match="damaged"):
            file_driver.FileDriver().get_snapshot(taken.id)


# Handles that lead elsewhere


@pytest.mark.parametrize(
    "form", ["{victim}", "{victim}/", "{shelf}/..", "{shelf}", "{shelf}/../victim", "{shelf}/Odd name"]
)
def test_handle_of_something_else_deletes_nothing(tmp_path: Path, image: Path, form: str) -> None:
    shelf = Path(snapshot(image).path).parent.parent
    victim, odd = tmp_path / "victim", shelf / "Odd name"
    for place in (victim, odd, shelf, tmp_path):
        place.mkdir(exist_ok=True)
        (place / "snapshot.json").write_text("{}")
    before = everything_in(tmp_path)
    handle = ids.SnapshotId("file:" + form.format(victim=victim, shelf=shelf))
    file_driver.FileDriver().delete_snapshot(handle)
    assert everything_in(tmp_path) == before
    with pytest.raises(contract.SnapshotMissing):
        file_driver.FileDriver().get_snapshot(handle)


# Killed half-way

KILLED = """
import os, signal, sys
from runner.base import cancel
from runner.storage.file import driver
os.{call} = lambda *arguments, **more: os.kill(os.getpid(), signal.SIGKILL)
volume = sys.argv[1]
if "{what}" == "snapshot":
    driver.FileDriver().create_snapshot(volume, {{"token": "t"}}, cancel.CancelToken())
elif "{what}" == "deletion":
    driver.FileDriver().delete_snapshot(volume)
else:
    with driver.FileDriver().create_volume(volume, 1000, overwrite=False) as writer:
        writer.write(0, b"data")
        writer.commit()
"""


def killed(what: str, call: str, volume: str | Path) -> None:
    program = KILLED.format(what=what, call=call)
    ended = subprocess.run([sys.executable, "-c", program, str(volume)], check=False)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize("call", ["fsync", "mkdir", "rename", "replace"])
def test_snapshot_killed_half_way_is_not_seen_and_its_rest_is_swept(image: Path, call: str) -> None:
    killed("snapshot", call, image)
    assert file_driver.FileDriver().list_snapshots(str(image), {}) == []
    assert everything_in(image.parent / ".disk.img.snapshots") == []


def test_next_snapshot_sweeps_the_rest_of_a_killed_one(image: Path) -> None:
    killed("snapshot", "rename", image)
    taken = snapshot(image)
    place = Path(taken.path).parent
    assert everything_in(place.parent) == [place.name, f"{place.name}/data", f"{place.name}/snapshot.json"]


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_volume_killed_half_way_is_not_seen_and_its_rest_is_swept(tmp_path: Path, call: str) -> None:
    volume = tmp_path / "restored.img"
    killed("volume", call, volume)
    assert not volume.exists()
    assert len(everything_in(tmp_path)) == 1
    with file_driver.FileDriver().create_volume(str(volume), 10, overwrite=False) as writer:
        writer.commit()
    assert everything_in(tmp_path) == ["restored.img"]


def test_looking_for_a_volume_sweeps_the_rest_of_a_killed_one(tmp_path: Path) -> None:
    volume = tmp_path / "restored.img"
    killed("volume", "link", volume)
    assert not file_driver.FileDriver().made_with(str(volume), "token")
    assert everything_in(tmp_path) == []


def test_deletion_killed_half_way_is_finished_by_the_next_one(image: Path) -> None:
    taken = snapshot(image)
    killed("deletion", "rmdir", taken.id)
    assert len(everything_in(image.parent)) > 1
    with pytest.raises(contract.SnapshotMissing):
        file_driver.FileDriver().get_snapshot(taken.id)
    file_driver.FileDriver().delete_snapshot(taken.id)
    assert everything_in(image.parent) == ["disk.img"]


def test_rest_of_a_living_process_is_left(image: Path) -> None:
    storage = file_driver.FileDriver()
    with storage.create_volume(str(image), 10, overwrite=True) as writer:
        with storage.create_volume(str(image), 20, overwrite=True) as other:
            other.commit()
        writer.commit()
    assert image.stat().st_size == 10


# New volumes


def test_directories_are_made_for_a_volume_and_removed_without_a_commit(tmp_path: Path) -> None:
    target = tmp_path / "new" / "deep" / "restored.img"
    storage = file_driver.FileDriver()
    with storage.create_volume(str(target), 10, overwrite=False):
        pass
    assert everything_in(tmp_path) == []
    with storage.create_volume(str(target), 10, overwrite=False) as writer:
        writer.commit()
    assert target.stat().st_size == 10


def test_volume_that_is_written_over_passes_on_its_mode(image: Path) -> None:
    image.chmod(0o640)
    with file_driver.FileDriver().create_volume(str(image), 10, overwrite=True) as writer:
        writer.commit()
    assert stat.S_IMODE(image.stat().st_mode) == 0o640


def test_new_volume_is_private_and_sparse(tmp_path: Path) -> None:
    target = tmp_path / "restored.img"
    with file_driver.FileDriver().create_volume(str(target), 1 << 30, overwrite=False) as writer:
        writer.write(1 << 29, b"data")
        writer.commit()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.stat().st_size == 1 << 30
    assert target.stat().st_blocks * 512 < MIB


def test_what_is_no_image_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("directory", "fifo"):
        create = file_driver.FileDriver().create_volume(str(tmp_path / name), 10, overwrite=True)
        with pytest.raises(errors.EnvironmentProblem) as caught, create:
            pytest.fail("something else has been opened as an image")
        assert caught.value.code == "RT310"


def fill(volume: Path, size: int) -> None:
    with file_driver.FileDriver().create_volume(str(volume), size, overwrite=False) as writer:
        for offset in range(0, size, 65_536):
            writer.write(offset, os.urandom(65_536))
        writer.commit()


def test_volume_that_does_not_fit_leaves_nothing(small_disk: Path) -> None:
    with pytest.raises(errors.EnvironmentProblem) as caught:
        fill(small_disk / "restored.img", 8 * MIB)
    assert caught.value.code == "RT312"
    assert everything_in(small_disk) == []
    fill(small_disk / "restored.img", MIB // 2)


def test_volume_in_a_read_only_directory_is_refused(as_ordinary_user: Path) -> None:
    as_ordinary_user.chmod(0o500)
    create = file_driver.FileDriver().create_volume(str(as_ordinary_user / "restored.img"), 10, overwrite=False)
    with pytest.raises(errors.EnvironmentProblem) as caught, create:
        pytest.fail("a volume has been started where nothing can be written")
    as_ordinary_user.chmod(0o700)
    assert caught.value.code == "RT311"


# Directories


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "sub" / "file").write_bytes(b"content")
    os.link(root / "sub" / "file", root / "hard link")
    (root / "soft link").symlink_to("sub/file")
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to(".")
    os.mkfifo(root / "fifo")
    (root / os.fsdecode(b"odd \xff\n name")).write_bytes(b"odd")
    (root / "sparse").touch()
    os.truncate(root / "sparse", 64 * MIB)
    (root / "sub" / "file").chmod(0o751)
    os.utime(root / "sub", ns=(1, 1_000_000_123))
    return root


def facts_of(root: Path) -> dict[str, Facts]:
    facts: dict[str, Facts] = {}
    for path in [root, *root.rglob("*")]:
        seen = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        facts[str(path.relative_to(root))] = (seen.st_mode, seen.st_uid, seen.st_mtime_ns, seen.st_nlink, content)
    return facts


def test_snapshot_of_a_directory_is_a_faithful_copy(tree: Path) -> None:
    before = facts_of(tree)
    taken = snapshot(tree)
    (tree / "sub" / "file").write_bytes(b"later")
    copy = Path(taken.path)
    assert facts_of(copy) == before
    assert (copy / "sub" / "file").samefile(copy / "hard link")
    assert (copy / "sparse").stat().st_blocks * 512 < MIB
    assert taken.size_bytes == sum(len(content) for *_, content in before.values() if isinstance(content, bytes))
    assert re.match(r"file by file: (reflink|sparse copy: \S+ has no reflinks)", taken.method)


def test_extended_attributes_of_a_directory_are_kept(tree: Path) -> None:
    try:
        os.setxattr(tree / "sub" / "file", "user.note", b"value")
        os.setxattr(tree / "sub", "user.note", b"of a directory")
    except OSError:
        pytest.skip("the file system of the tests has no extended attributes")
    copy = Path(snapshot(tree).path)
    assert os.getxattr(copy / "sub" / "file", "user.note") == b"value"
    assert os.getxattr(copy / "sub", "user.note") == b"of a directory"


def leaving_out(*paths: Path) -> file_driver.FileDriver:
    own = own_places.OwnPlaces(paths=paths)
    return file_driver.FileDriver().making_copies(leaving_out=own, within=temporary.TemporarySpace())


def test_snapshot_of_a_directory_is_without_what_is_the_runners_own(tree: Path) -> None:
    (tree / "sub" / "repository" / "data").mkdir(parents=True)
    taken = leaving_out(tree / "sub" / "repository", tree / "missing").create_snapshot(
        str(tree), {}, cancel.CancelToken()
    )
    assert "sub/empty" in everything_in(Path(taken.path))
    assert [name for name in everything_in(Path(taken.path)) if "repository" in name] == []
    assert taken.method.endswith("; without what belongs to the runner itself")


def test_no_snapshot_is_taken_of_what_is_the_runners_own(tree: Path) -> None:
    with pytest.raises(contract.StorageError, match="would hold itself") as caught:
        leaving_out(tree).create_snapshot(str(tree / "sub"), {}, cancel.CancelToken())
    assert caught.value.code == "RT316"


def test_empty_directory_can_be_snapshotted(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    taken = snapshot(tmp_path / "empty")
    assert list(Path(taken.path).iterdir()) == []
    assert taken.size_bytes == 0


def test_directory_without_write_permission_can_be_snapshotted_and_deleted(as_ordinary_user: Path) -> None:
    tree = as_ordinary_user / "tree"
    (tree / "locked").mkdir(parents=True)
    (tree / "locked" / "file").write_text("content")
    (tree / "locked").chmod(0o500)
    taken = snapshot(tree)
    assert stat.S_IMODE((Path(taken.path) / "locked").stat().st_mode) == 0o500
    file_driver.FileDriver().delete_snapshot(taken.id)
    assert not (as_ordinary_user / ".tree.snapshots").exists()
    (tree / "locked").chmod(0o700)


def test_unreadable_file_in_a_directory_is_reported_and_nothing_stays(as_ordinary_user: Path) -> None:
    tree = as_ordinary_user / "tree"
    tree.mkdir()
    (tree / "secret").write_text("content")
    (tree / "secret").chmod(0)
    with pytest.raises(errors.EnvironmentProblem) as caught:
        snapshot(tree)
    assert str(tree / "secret") in caught.value.message
    assert not (as_ordinary_user / ".tree.snapshots").exists()


def test_directories_are_not_compared_block_by_block(tree: Path) -> None:
    storage = file_driver.FileDriver()
    first, second = snapshot(tree), snapshot(tree)
    assert storage.changed_extents(first.id, second.id) == contract.Incomparable("directories have no blocks")


def within(space: temporary.TemporarySpace) -> file_driver.FileDriver:
    return file_driver.FileDriver().making_copies(leaving_out=own_places.OwnPlaces(), within=space)


@pytest.fixture
def plain_disk(tmp_path: Path) -> Path:
    """A directory of a file system without reflinks."""
    (tmp_path / "a").write_bytes(b"a")
    if snapshot(tmp_path / "a").method == "reflink":
        pytest.skip("the file system of the tests has reflinks")
    return tmp_path


def test_copy_of_an_image_takes_space_for_its_data_and_not_for_its_holes(plain_disk: Path) -> None:
    image = plain_disk / "disk.img"
    with image.open("wb") as file:
        file.write(b"x" * 65_536)
        file.truncate(1 << 30)
    within(temporary.TemporarySpace(65_536)).create_snapshot(str(image), {}, cancel.CancelToken())
    with pytest.raises(errors.EnvironmentProblem, match=f"the snapshot of {image} needs 64.0 KiB") as caught:
        within(temporary.TemporarySpace(65_535)).create_snapshot(str(image), {}, cancel.CancelToken())
    assert caught.value.code == "RT317"


def test_directory_that_is_too_large_leaves_nothing_and_gives_back_what_it_took(plain_disk: Path) -> None:
    tree = plain_disk / "tree"
    tree.mkdir()
    for name in "abc":
        (tree / name).write_bytes(b"x" * 4096)
    space = temporary.TemporarySpace(10_000)
    with pytest.raises(errors.EnvironmentProblem, match=r"needs 12\.0 KiB"):
        within(space).create_snapshot(str(tree), {}, cancel.CancelToken())
    assert not list(plain_disk.glob(".tree*"))
    (tree / "c").unlink()
    within(space).create_snapshot(str(tree), {}, cancel.CancelToken())


def test_snapshot_that_shares_its_blocks_takes_nothing(reflink_disk: Path) -> None:
    image = reflink_disk / "disk.img"
    image.write_bytes(b"x" * 65_536)
    within(temporary.TemporarySpace(1)).create_snapshot(str(image), {}, cancel.CancelToken())
