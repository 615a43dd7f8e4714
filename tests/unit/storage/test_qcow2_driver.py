"""What the qcow2 driver does when something goes wrong, with the programs of QEMU."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.base import cancel, errors, ids
from runner.registry import driver as contract
from runner.registry import estimates
from runner.storage.qcow2 import driver as qcow2
from tests import qemu

pytestmark = pytest.mark.server("qemu")
MIB = 1 << 20
DATA = b"data" * (MIB // 2)


@pytest.fixture(autouse=True)
def programs() -> None:
    qemu.needed()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / 'a disk, "with odd" name.qcow2'
    qemu.write_image(str(path), DATA)
    return path


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[qemu.Guest]:
    running = qemu.Guest(tmp_path / "guest.qcow2")
    running.write(DATA)
    yield running
    running.stop()


def take(volume: str | Path, **tags: str) -> contract.Snapshot:
    return qcow2.Qcow2Driver().create_snapshot(str(volume), tags, cancel.CancelToken())


def content(snapshot: ids.SnapshotId) -> bytes:
    with qcow2.Qcow2Driver().open_snapshot(snapshot) as reader:
        data = bytearray(reader.size_bytes)
        for extent in reader.allocated():
            reader.read_into(extent.offset, memoryview(data)[extent.offset : extent.end])
        return bytes(data)


def changed(base: contract.Snapshot, snapshot: contract.Snapshot) -> list[contract.Extent] | str:
    found = qcow2.Qcow2Driver().changed_extents(base.id, snapshot.id)
    return found.reason if isinstance(found, contract.Incomparable) else list(found)


def inside(image: Path) -> list[str]:
    """Return what an image holds beside its data; it has to be sound."""
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", image], check=True)
    info: Any = json.loads(
        subprocess.run(["qemu-img", "info", "--output=json", image], check=True, capture_output=True).stdout
    )
    return [one["name"] for one in [*info.get("snapshots", []), *info["format-specific"]["data"].get("bitmaps", [])]]


def left(image: Path) -> list[str]:
    return sorted(path.suffix for path in image.parent.glob(f".{image.name}.snapshots/*"))


def test_what_a_volume_loses_by_shrinking_is_among_the_changes_when_it_grows_again(image: Path) -> None:
    base = take(image)
    for size in (MIB, 2 * MIB):
        subprocess.run(["qemu-img", "resize", "-q", "--shrink", "-f", "qcow2", image, str(size)], check=True)
    assert changed(base, take(image)) == [contract.Extent(offset=MIB, length=MIB, zero=True)]


def test_image_in_the_old_format_has_no_bitmap_and_says_so(tmp_path: Path) -> None:
    image = tmp_path / "old.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=0.10", image, "1M"], check=True)
    base = take(image)
    assert base.method == "internal snapshot, no dirty bitmap"
    assert changed(base, take(image)) == f"the dirty bitmap of {base.id} is gone"
    assert content(base.id) == bytes(MIB)


def test_what_is_no_qcow2_image_is_refused(tmp_path: Path) -> None:
    raw = tmp_path / "raw.img"
    raw.write_bytes(bytes(MIB))
    for volume in (raw, tmp_path):
        with pytest.raises(contract.StorageError) as caught:
            take(volume)
        assert caught.value.code == "RT306"
    assert [path.name for path in tmp_path.iterdir()] == ["raw.img"]


def test_image_in_use_by_a_guest_that_was_not_named_is_refused(guest: qemu.Guest) -> None:
    with pytest.raises(contract.StorageUnavailable, match="in use by a running guest") as caught:
        take(guest.image)
    assert "QMP" in caught.value.hint
    take(guest.volume)
    with pytest.raises(contract.StorageUnavailable, match="in use by a running guest"):
        take(guest.image)


def test_guest_may_start_and_write_while_a_snapshot_is_read(guest: qemu.Guest) -> None:
    guest.stop()
    taken = take(guest.image)
    with qcow2.Qcow2Driver().open_snapshot(taken.id) as reader:
        guest.start()
        guest.write(bytes(2 * MIB))
        data = bytearray(2 * MIB)
        reader.read_into(0, memoryview(data))
    assert data == DATA
    assert content(taken.id) == DATA


def test_snapshot_that_is_read_is_not_deleted(image: Path) -> None:
    taken = take(image)
    storage = qcow2.Qcow2Driver()
    with storage.open_snapshot(taken.id), pytest.raises(contract.SnapshotInUse):
        storage.delete_snapshot(taken.id)
    storage.delete_snapshot(taken.id)
    assert (inside(image), left(image)) == ([], [])


def test_snapshots_of_an_image_that_was_replaced_are_gone(image: Path) -> None:
    taken = take(image)
    storage = qcow2.Qcow2Driver()
    with storage.create_volume(str(image), MIB, overwrite=True) as writer:
        writer.commit()
    with pytest.raises(contract.SnapshotMissing):
        storage.get_snapshot(taken.id)
    assert storage.list_snapshots(str(image), {}) == []
    assert left(image) == []


def test_image_that_a_guest_has_open_is_not_replaced(guest: qemu.Guest) -> None:
    storage = qcow2.Qcow2Driver()
    with pytest.raises(contract.StorageUnavailable), storage.create_volume(str(guest.image), MIB, overwrite=True):
        pytest.fail("an image in use has been opened for replacement")
    with pytest.raises(contract.StorageError) as caught:
        storage.create_volume(guest.volume, MIB, overwrite=True)
    assert caught.value.code == "RT306"


def test_programs_get_no_variable_of_the_runner(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = tmp_path / "bin" / "qemu-img"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\nenv >> {tmp_path}/seen\nexec /usr/bin/env qemu-img.real "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("RUNNER_PASSPHRASE", "correct horse")
    monkeypatch.setenv("PATH", f"{spy.parent}:/usr/bin:/bin")
    with pytest.raises(errors.RunnerError):
        take(image)
    assert "RUNNER_" not in (tmp_path / "seen").read_text()


# Killed half-way

KILLED = """
import os, signal, sys
from runner.base import cancel
from runner.storage.qcow2 import {module}, driver
die = lambda *arguments, **more: os.kill(os.getpid(), signal.SIGKILL)
{function} = die
{work}
"""
TAKE = 'driver.Qcow2Driver().create_snapshot(sys.argv[1], {"token": "t"}, cancel.CancelToken())'
RELEASE = "driver.Qcow2Driver().release_blocks(sys.argv[1])"
AT_REST = [("at_rest.os", "fsync"), ("shelf.Shelf", "write"), ("shelf.files", "write_atomically")]
LIVE = [("live.Live", "export"), ("live.qmp.Session", "_receive"), *AT_REST[1:]]


def killed(work: str, subject: str | Path, module: str, function: str) -> None:
    program = KILLED.format(module=module.split(".")[0], function=f"{module}.{function}", work=work)
    ended = subprocess.run([sys.executable, "-c", program, str(subject)], check=False)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("module", "function"), AT_REST)
def test_snapshot_killed_half_way_is_not_seen_and_nothing_of_it_stays(image: Path, module: str, function: str) -> None:
    killed(TAKE, image, module, function)
    assert qcow2.Qcow2Driver().list_snapshots(str(image), {}) == []
    assert (inside(image), left(image)) == ([], [])


@pytest.mark.parametrize(("module", "function"), LIVE)
def test_snapshot_of_a_guest_killed_half_way_leaves_nothing_in_it(
    guest: qemu.Guest, module: str, function: str
) -> None:
    killed(TAKE, guest.volume, module, function)
    assert qcow2.Qcow2Driver().list_snapshots(guest.volume, {}) == []
    assert left(guest.image) == []
    guest.stop()
    assert inside(guest.image) == []


@pytest.mark.parametrize(
    ("module", "function"), [("live.Live", "drop_blocks"), ("live.Live", "_until"), ("live.Live", "_stop_server")]
)
def test_snapshot_whose_release_was_killed_half_way_stays_and_holds_nothing(
    guest: qemu.Guest, module: str, function: str
) -> None:
    base = take(guest.volume)
    guest.write(b"more" + DATA[4:])

    killed(RELEASE, base.id, module, function)

    assert qcow2.Qcow2Driver().list_snapshots(guest.volume, {}) == [base]
    assert left(guest.image) == [".json"]
    assert changed(base, take(guest.volume)) == [contract.Extent(offset=0, length=65_536)]


# Guests that end


def test_snapshot_that_a_guest_held_ends_with_it(guest: qemu.Guest) -> None:
    taken = take(guest.volume)
    guest.stop()
    storage = qcow2.Qcow2Driver()
    with pytest.raises(contract.SnapshotMissing):
        storage.get_snapshot(taken.id)
    storage.delete_snapshot(taken.id)
    assert (inside(guest.image), left(guest.image)) == ([], [])


def test_released_snapshot_outlives_its_guest(guest: qemu.Guest) -> None:
    storage, base = qcow2.Qcow2Driver(), take(guest.volume)
    storage.release_blocks(base.id)
    assert left(guest.image) == [".json"]
    guest.stop()
    guest.start()
    guest.write(b"more" + DATA[4:])
    assert changed(base, take(guest.volume)) == [contract.Extent(offset=0, length=65_536)]
    with pytest.raises(contract.StorageError, match="released"), storage.open_snapshot(base.id):
        pytest.fail("a snapshot without blocks has been opened")


def test_bitmap_that_a_crash_of_the_guest_left_behind_is_not_relied_on(guest: qemu.Guest) -> None:
    storage, base = qcow2.Qcow2Driver(), take(guest.volume)
    storage.release_blocks(base.id)
    guest.stop()
    guest.start()
    assert guest.process is not None
    guest.process.kill()
    guest.process.wait()
    guest.start()
    assert changed(base, take(guest.volume)) == (
        f"the dirty bitmap of {base.id} was left behind by a guest that ended without writing it back"
    )
    storage.delete_snapshot(base.id)


def test_guest_that_is_turned_on_and_off_is_compared_all_the_way(guest: qemu.Guest) -> None:
    guest.stop()
    base = take(guest.image)
    guest.start()
    guest.write(b"live" + DATA[4:])
    held = take(guest.volume)
    assert changed(base, held) == [contract.Extent(offset=0, length=65_536)]
    storage = qcow2.Qcow2Driver()
    with pytest.raises(contract.SnapshotInUse, match="holds another snapshot"):
        storage.delete_snapshot(base.id)
    storage.release_blocks(held.id)
    storage.delete_snapshot(base.id)
    guest.stop()
    assert changed(held, take(guest.image)) == []


@pytest.mark.parametrize(
    ("volume", "hint"),
    [("qmp:/run/guest.qmp", "the form is"), ("qmp:guest.qmp?node=disk", "form"), ("qmp:/g?node=a&x=1", "form")],
)
def test_incomplete_name_of_a_guest_is_refused(volume: str, hint: str) -> None:
    with pytest.raises(contract.VolumeMissing) as caught:
        take(volume)
    assert hint in caught.value.hint


def test_unknown_node_is_answered_with_those_there_are(guest: qemu.Guest) -> None:
    with pytest.raises(contract.VolumeMissing) as caught:
        take(guest.volume.replace("node=disk", "node=dsik"))
    assert '"disk"' in caught.value.hint


def foreseen(volume: str | Path) -> estimates.Way:
    found = qcow2.Qcow2Driver().foresee_changes(str(volume))
    assert found is not None
    return found


def test_bitmap_tells_before_a_snapshot_what_it_will_save(image: Path) -> None:
    assert foreseen(image) == estimates.Way(method="full", reason="there is no earlier snapshot of the volume")
    take(image)
    assert foreseen(image).skips == 2 * MIB
    written = ["-c", "write -z -u 0 64k", "-c", "write -P 7 1M 192k"]
    subprocess.run(["qemu-io", "-f", "qcow2", *written, image], check=True, capture_output=True)
    before = (image.read_bytes(), left(image))

    way = foreseen(image)

    assert (way.method, way.skips) == ("changed", 2 * MIB - (192 << 10))
    assert "UTC has recorded 192.0 KiB, if the last restore point has that snapshot" in way.reason
    assert (image.read_bytes(), left(image)) == before


def test_plan_and_export_agree_on_what_is_read(image: Path) -> None:
    base = take(image)
    qemu.write_image(str(image), b"new" * 50_000 + DATA[150_000:])
    way = foreseen(image)
    extents = changed(base, take(image))
    assert not isinstance(extents, str)
    assert way.skips == 2 * MIB - sum(extent.length for extent in extents if not extent.zero)


def test_guest_tells_what_it_has_written_since_the_last_snapshot(guest: qemu.Guest) -> None:
    driver = qcow2.Qcow2Driver()
    driver.release_blocks(take(guest.volume).id)
    assert foreseen(guest.volume).skips == 2 * MIB
    guest.write(b"new" + DATA[3:])
    way = foreseen(guest.volume)
    assert (way.method, way.skips) == ("changed", 2 * MIB - (1 << 16))
    assert left(guest.image) == [".json"]


def test_bitmap_that_cannot_be_relied_on_saves_nothing(image: Path) -> None:
    taken = take(image)
    bitmap = f"blueprint-runner-{taken.id.rpartition('/')[2]}"
    subprocess.run(["qemu-img", "bitmap", "--disable", "-f", "qcow2", image, bitmap], check=True)
    way = foreseen(image)
    assert (way.method, way.skips) == ("rescan", None)
    assert way.reason == f"the dirty bitmap of {taken.id} does not record changes"


def test_nothing_is_foreseen_of_an_image_that_is_not_there(tmp_path: Path) -> None:
    assert qcow2.Qcow2Driver().foresee_changes(str(tmp_path / "disk.qcow2")) is None
    assert list(tmp_path.iterdir()) == []
