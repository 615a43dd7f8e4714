"""ExportVolume, and RestoreVolume onto what exists: block devices (loop devices, as root) and raw images."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.base import cancel, clock, errors
from runner.functions import export_volume, restore_volume, snapshot_volume, tree_sizes
from runner.locations import memory as memory_location
from runner.registry import driver as drivers
from runner.registry import estimates
from runner.repository import access, keyslots, repository, volume_update, volumes
from runner.storage.file import driver as file_driver
from runner.storage.memory import driver as memory_driver
from runner.testing import phase_context

MIB = 1 << 20
BLOCK = 1 << 16
SIZE = 24 * MIB
CHEAP = keyslots.KdfCost(memory_kib=64, iterations=1, lanes=1)
Devices = Callable[[int], Path]


class Counting(memory_location.Memory):
    """A location that counts what is read from it."""

    read = 0

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        self.read += target.nbytes
        super().read_into(name, offset, target)


@pytest.fixture
def repo() -> repository.Repository:
    return access.create(Counting(), "secret", clock=clock.FakeClock(), kdf=CHEAP, workers=2)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def context(repo: repository.Repository, work: Path, phase: str, **facts: object) -> phase_context.FakePhaseContext:
    return phase_context.FakePhaseContext(
        work / phase,
        clock=clock.FakeClock(),
        services={repository.Repository: repo},
        storage={"file": file_driver.FileDriver(), "memory": memory_driver.MemoryDriver()},
        phase=phase,
        **facts,  # type: ignore[arg-type]
    )


def export(
    repo: repository.Repository, work: Path, volume: Path, phase: str = "export", base: str | None = None
) -> export_volume.ExportVolumeOutputs:
    ctx = context(repo, work, phase, bases={str(volume): base} if base else {})
    done = export_volume.export_volume.call(ctx, export_volume.ExportVolumeArgs(volume=str(volume)))
    assert isinstance(done, export_volume.ExportVolumeOutputs)
    return done


def restore(
    repo: repository.Repository, work: Path, exported: str, target: Path, *, overwrite: bool = True
) -> restore_volume.RestoreVolumeOutputs:
    ctx = context(repo, work, "restore", overwrite=overwrite)
    arguments = restore_volume.RestoreVolumeArgs(export=exported, target=str(target), mode="differences")
    done = restore_volume.restore_volume.call(ctx, arguments)
    assert isinstance(done, restore_volume.RestoreVolumeOutputs)
    return done


def fill(volume: Path, *blocks: int, seed: int = 0) -> None:
    """Write some blocks of 64 KiB, each with content of its own."""
    with volume.open("r+b") as file:
        for block in blocks:
            file.seek(block * BLOCK)
            file.write(bytes([(block * 7 + seed) % 251 + 1]) + os.urandom(BLOCK - 1))
        file.flush()
        os.fsync(file.fileno())


def sparse(path: Path, size: int) -> Path:
    path.touch()
    os.truncate(path, size)
    return path


def test_device_comes_back_onto_another_one(repo: repository.Repository, work: Path, loop_device: Devices) -> None:
    source, target = loop_device(SIZE), loop_device(SIZE + MIB)
    fill(source, 0, 5, 6, 200, 383)
    fill(target, 3, 5, 384)
    tail = target.read_bytes()[SIZE:]
    done = export(repo, work, source)
    assert (done.size_bytes, done.method, done.bytes_read) == (SIZE, "full", SIZE)
    written = restore(repo, work, done.export, target)
    assert written.bytes_written == 6 * BLOCK
    assert target.read_bytes()[:SIZE] == source.read_bytes()
    assert target.read_bytes()[SIZE:] == tail


def test_second_export_of_a_device_stores_what_is_new_and_says_why_it_read_all(
    repo: repository.Repository, work: Path, loop_device: Devices
) -> None:
    source = loop_device(SIZE)
    fill(source, *range(40))
    first = export(repo, work, source)
    fill(source, 7, seed=1)
    second = export(repo, work, source, "again", first.export)
    assert second.method == "rescan"
    assert BLOCK <= second.bytes_new < 3 * BLOCK
    assert "without a snapshot" in second.reason


def test_restore_fetches_and_writes_only_what_differs(
    repo: repository.Repository, work: Path, loop_device: Devices
) -> None:
    source, target = loop_device(SIZE), loop_device(SIZE)
    fill(source, *range(100))
    done = export(repo, work, source)
    assert restore(repo, work, done.export, target).bytes_written == 100 * BLOCK
    fill(target, 17, 300, seed=5)
    place = repo.location
    assert isinstance(place, Counting)
    place.read = 0
    sectors = _written(target)
    again = restore(repo, work, done.export, target)
    assert again.bytes_written == 2 * BLOCK
    assert place.read < 4 * BLOCK
    assert _written(target) - sectors == 2 * BLOCK // 512
    assert target.read_bytes() == source.read_bytes()
    assert restore(repo, work, done.export, target).bytes_written == 0


def _written(device: Path) -> int:
    number = device.stat().st_rdev
    return int(Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat").read_text().split()[6])


@contextmanager
def mounted(device: Path, place: Path, *options: str) -> Iterator[None]:
    program = shutil.which("mkfs.ext4")
    if program is None:
        pytest.skip("mkfs.ext4 is missing: apt-get install e2fsprogs")
    subprocess.run([program, "-q", "-F", str(device)], check=True, capture_output=True)
    place.mkdir()
    done = subprocess.run(["mount", *options, str(device), str(place)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_device_that_is_mounted_is_refused_both_ways(
    repo: repository.Repository, work: Path, tmp_path: Path, loop_device: Devices
) -> None:
    device, free = loop_device(SIZE), loop_device(SIZE)
    done = export(repo, work, free)
    with mounted(device, tmp_path / "mounted"):
        before = device.read_bytes()
        with pytest.raises(errors.RunnerError, match="is mounted at") as caught:
            export(repo, work, device, "mounted")
        assert caught.value.code == "RT316"
        with pytest.raises(errors.EnvironmentProblem, match="is mounted at") as refused:
            restore(repo, work, done.export, device)
        assert refused.value.code == "RT311"
        assert str(tmp_path / "mounted") in refused.value.message
        assert device.read_bytes() == before


def test_device_that_is_mounted_read_only_is_exported_and_not_written_to(
    repo: repository.Repository, work: Path, tmp_path: Path, loop_device: Devices
) -> None:
    device = loop_device(SIZE)
    with mounted(device, tmp_path / "mounted", "-o", "ro,noload"):
        done = export(repo, work, device)
        with pytest.raises(errors.EnvironmentProblem, match="is mounted at"):
            restore(repo, work, done.export, device)
    assert restore(repo, work, done.export, device).bytes_written == 0


def test_device_that_is_in_use_is_refused(repo: repository.Repository, work: Path, loop_device: Devices) -> None:
    device = loop_device(SIZE)
    descriptor = os.open(device, os.O_RDONLY | os.O_EXCL)
    try:
        with pytest.raises(errors.RunnerError, match="is in use"):
            export(repo, work, device)
    finally:
        os.close(descriptor)


def test_device_that_is_too_small_is_refused_before_anything_is_written(
    repo: repository.Repository, work: Path, loop_device: Devices
) -> None:
    source, target = loop_device(SIZE), loop_device(SIZE - MIB)
    fill(source, 0)
    done = export(repo, work, source)
    with pytest.raises(
        errors.EnvironmentProblem, match="has 24,117,248 bytes, and the volume needs 25,165,824"
    ) as caught:
        restore(repo, work, done.export, target)
    assert caught.value.code == "RT311"
    assert not any(target.read_bytes())


def test_device_that_is_written_to_meanwhile_gives_no_export(
    repo: repository.Repository, work: Path, loop_device: Devices
) -> None:
    device = loop_device(SIZE)
    ctx = context(repo, work, "export")
    ctx.progress = lambda *_: fill(device, 3)  # type: ignore[method-assign]
    with pytest.raises(drivers.StorageUnavailable, match="was written to"):
        export_volume.export_volume.call(ctx, export_volume.ExportVolumeArgs(volume=str(device)))
    assert repo.find_export(ctx.token) is None


def test_device_has_no_snapshot_and_the_way_out_is_named(
    work: Path, repo: repository.Repository, loop_device: Devices
) -> None:
    arguments = snapshot_volume.SnapshotVolumeArgs(volume=str(loop_device(MIB)))
    with pytest.raises(drivers.StorageError, match="no snapshot") as caught:
        snapshot_volume.snapshot_volume.call(context(repo, work, "snapshot"), arguments)
    assert (caught.value.code, "ExportVolume" in caught.value.hint) == ("RT306", True)


def test_size_of_a_device_is_told_before(loop_device: Devices) -> None:
    budget = estimates.Budget(clock.FakeClock())
    assert tree_sizes.of_volume(str(loop_device(SIZE)), budget) == estimates.Size(bytes=SIZE)


def test_new_mode_does_not_replace_a_device(work: Path, repo: repository.Repository, loop_device: Devices) -> None:
    device = loop_device(MIB)
    done = export(repo, work, device)
    arguments = restore_volume.RestoreVolumeArgs(export=done.export, target=str(device))
    with pytest.raises(errors.EnvironmentProblem, match="is no image") as caught:
        restore_volume.restore_volume.call(context(repo, work, "restore", overwrite=True), arguments)
    assert "mode: differences" in caught.value.hint


@pytest.mark.parametrize("before", [0, SIZE // 2, SIZE + 5 * BLOCK])
def test_image_of_any_size_becomes_the_exported_one_in_place(
    repo: repository.Repository, work: Path, tmp_path: Path, before: int
) -> None:
    source, target = sparse(tmp_path / "source.img", SIZE - 1000), sparse(tmp_path / "target.img", before)
    fill(source, 1, 2, 300)
    os.truncate(source, SIZE - 1000)
    if before:
        fill(target, 2, 9)
        os.truncate(target, before)
    inode = target.stat().st_ino
    done = export(repo, work, source)
    written = restore(repo, work, done.export, target)
    assert written.bytes_written == (4 if before else 3) * BLOCK
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_ino == inode
    assert target.stat().st_blocks * 512 < 8 * BLOCK


def test_restore_in_place_has_to_be_allowed_and_needs_a_target(
    repo: repository.Repository, work: Path, tmp_path: Path
) -> None:
    image = sparse(tmp_path / "image", MIB)
    done = export(repo, work, image)
    with pytest.raises(errors.EnvironmentProblem) as caught:
        restore(repo, work, done.export, image, overwrite=False)
    assert (caught.value.code, "--overwrite" in caught.value.hint) == ("RT310", True)
    with pytest.raises(drivers.VolumeMissing):
        restore(repo, work, done.export, tmp_path / "none")
    with pytest.raises(drivers.StorageError, match="neither a block device nor a raw image"):
        restore(repo, work, done.export, tmp_path)


def test_image_that_is_attached_as_a_device_is_not_written_to(
    repo: repository.Repository, work: Path, tmp_path: Path, loop_device: Devices
) -> None:
    device = loop_device(MIB)
    done = export(repo, work, device)
    with pytest.raises(errors.EnvironmentProblem, match=f"is attached as {device}"):
        restore(repo, work, done.export, tmp_path / "device-0")


def test_image_that_is_written_to_meanwhile_gives_no_export(
    repo: repository.Repository, work: Path, tmp_path: Path
) -> None:
    image = sparse(tmp_path / "image", SIZE)
    fill(image, 0)
    ctx = context(repo, work, "export")
    ctx.progress = lambda *_: fill(image, 3)  # type: ignore[method-assign]
    with pytest.raises(drivers.StorageUnavailable, match="was written to"):
        export_volume.export_volume.call(ctx, export_volume.ExportVolumeArgs(volume=str(image)))
    assert repo.find_export(ctx.token) is None


def test_export_and_restore_are_found_as_they_should_be_after_a_crash(
    repo: repository.Repository, work: Path, tmp_path: Path
) -> None:
    image = sparse(tmp_path / "image", SIZE)
    fill(image, 0, 3)
    ctx = context(repo, work, "export")
    arguments = export_volume.ExportVolumeArgs(volume=str(image))
    assert export_volume.find_export(ctx, arguments, ctx.token) is None
    done = export_volume.export_volume.call(ctx, arguments)
    assert export_volume.find_export(ctx, arguments, ctx.token) == done
    assert isinstance(done, export_volume.ExportVolumeOutputs)
    again = context(repo, work, "restore", overwrite=True)
    in_place = restore_volume.RestoreVolumeArgs(export=done.export, target=str(image), mode="differences")
    restore_volume.restore_volume.call(again, in_place)
    assert restore_volume.find_volume(again, in_place, again.token) is None
    new = restore_volume.RestoreVolumeArgs(export=done.export, target=str(tmp_path / "new"))
    made = restore_volume.restore_volume.call(again, new)
    assert restore_volume.find_volume(again, new, again.token) == made
    assert isinstance(made, restore_volume.RestoreVolumeOutputs)
    assert made.bytes_written == 2 * BLOCK


def test_driver_that_works_on_new_volumes_only_says_so(repo: repository.Repository, work: Path, tmp_path: Path) -> None:
    done = export(repo, work, sparse(tmp_path / "image", MIB))
    arguments = restore_volume.RestoreVolumeArgs(export=done.export, target="disk", driver="memory", mode="differences")
    with pytest.raises(errors.EnvironmentProblem, match="cannot write onto a volume that exists"):
        restore_volume.restore_volume.call(context(repo, work, "restore", overwrite=True), arguments)
    with pytest.raises(errors.EnvironmentProblem, match="cannot read a volume without a snapshot"):
        export_volume.export_volume.call(
            context(repo, work, "other"), export_volume.ExportVolumeArgs(volume="disk", driver="memory")
        )


def test_update_that_was_interrupted_is_finished_by_the_next(
    repo: repository.Repository, work: Path, tmp_path: Path
) -> None:
    image, target = sparse(tmp_path / "image", SIZE), sparse(tmp_path / "target", SIZE)
    fill(image, *range(0, 380, 4))
    fill(target, *range(0, 380, 3))
    done = export(repo, work, image)
    token = cancel.CancelToken()

    def stop(compared: int, _: int | None) -> None:
        if compared > SIZE // 2:
            token.cancel()

    manifest = repo.manifest(done.export)  # type: ignore[arg-type]
    with (
        pytest.raises(errors.Cancelled),
        file_driver.FileDriver().update_volume(str(target), volumes.size_of(repo, manifest.export)) as place,
    ):
        volume_update.update_volume(repo, manifest.export, place, cancel=token, progress=stop)
    assert target.read_bytes() != image.read_bytes()
    restore(repo, work, done.export, target)
    assert target.read_bytes() == image.read_bytes()
