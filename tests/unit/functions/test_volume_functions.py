"""SnapshotVolume, ExportSnapshot, RestoreVolume and DeleteSnapshot on the memory and file drivers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.base import cancel, clock, errors, ids
from runner.functions import delete_snapshot, export_snapshot, restore_volume, snapshot_volume
from runner.locations import memory as memory_location
from runner.registry import driver as drivers
from runner.repository import access, failures, keyslots, repository
from runner.storage.file import driver as file_driver
from runner.storage.memory import driver as memory_driver
from runner.testing import faults, phase_context

IMAGE = os.urandom(300_000) + bytes(1 << 20) + os.urandom(70_001)
CHEAP = keyslots.KdfCost(memory_kib=64, iterations=1, lanes=1)


@pytest.fixture
def fake() -> clock.FakeClock:
    return clock.FakeClock()


@pytest.fixture
def repo(fake: clock.FakeClock) -> repository.Repository:
    return access.create(memory_location.Memory(clock=fake), "correct horse", clock=fake, kdf=CHEAP)


@dataclass(kw_only=True)
class World:
    """One driver, a repository, and a context for each phase."""

    driver: Any
    repo: repository.Repository
    clock: clock.FakeClock
    work: Path
    write: Callable[[str, bytes], None]
    read: Callable[[str], bytes]
    volume: str
    target: str

    def context(self, phase: str = "phase", **facts: Any) -> phase_context.FakePhaseContext:
        return phase_context.FakePhaseContext(
            self.work / phase,
            clock=self.clock,
            services={repository.Repository: self.repo},
            storage={self.driver.name: self.driver},
            phase=phase,
            **facts,
        )

    def snapshot(
        self, ctx: phase_context.FakePhaseContext | None = None, **args: Mapping[str, str]
    ) -> snapshot_volume.SnapshotVolumeOutputs:
        ctx = ctx or self.context("snapshot")
        arguments = snapshot_volume.SnapshotVolumeArgs(volume=self.volume, driver=self.driver.name, **args)
        outputs = snapshot_volume.snapshot_volume.call(ctx, arguments)
        assert isinstance(outputs, snapshot_volume.SnapshotVolumeOutputs)
        return outputs

    def find(self, ctx: phase_context.FakePhaseContext) -> snapshot_volume.SnapshotVolumeOutputs | None:
        arguments = snapshot_volume.SnapshotVolumeArgs(volume=self.volume, driver=self.driver.name)
        outputs = snapshot_volume.find_snapshot(ctx, arguments, ctx.token)
        assert outputs is None or isinstance(outputs, snapshot_volume.SnapshotVolumeOutputs)
        return outputs

    def export(self, snapshot: str, phase: str, base: str | None = None) -> export_snapshot.ExportSnapshotOutputs:
        ctx = self.context(phase, bases={self.volume: base} if base else {})
        arguments = export_snapshot.ExportSnapshotArgs(snapshot=snapshot)
        outputs = export_snapshot.export_snapshot.call(ctx, arguments)
        assert isinstance(outputs, export_snapshot.ExportSnapshotOutputs)
        return outputs

    def restore(self, export: str, target: str | None = None, **facts: bool) -> restore_volume.RestoreVolumeOutputs:
        ctx = self.context("restore", **facts)
        outputs = restore_volume.restore_volume.call(ctx, self.restore_args(export, target))
        assert isinstance(outputs, restore_volume.RestoreVolumeOutputs)
        return outputs

    def restore_args(self, export: str, target: str | None = None) -> restore_volume.RestoreVolumeArgs:
        return restore_volume.RestoreVolumeArgs(export=export, target=target or self.target, driver=self.driver.name)

    def delete(self, snapshot: str) -> object:
        return delete_snapshot.delete_snapshot.call(
            self.context("delete"), delete_snapshot.DeleteSnapshotArgs(snapshot=snapshot)
        )


@pytest.fixture(params=["memory", "file"])
def world(request: pytest.FixtureRequest, tmp_path: Path, fake: clock.FakeClock, repo: repository.Repository) -> World:
    storage: Any
    access: dict[str, Any]
    if request.param == "memory":
        storage = memory_driver.MemoryDriver(clock=fake)
        access = {"write": storage.put_volume, "read": storage.volume, "volume": "disk", "target": "restored"}
    else:
        storage = file_driver.FileDriver(clock=fake)
        access = {
            "write": lambda volume, data: Path(volume).write_bytes(data),
            "read": lambda volume: Path(volume).read_bytes(),
            "volume": str(tmp_path / "disk"),
            "target": str(tmp_path / "restored"),
        }
    made = World(driver=storage, repo=repo, clock=fake, work=tmp_path / "work", **access)
    made.write(made.volume, IMAGE)
    return made


def test_snapshot_reports_itself_and_carries_the_token(world: World) -> None:
    ctx = world.context("snapshot")
    outputs = world.snapshot(ctx, tags={"app": "shop"})
    assert drivers.driver_of(ids.SnapshotId(outputs.id)) == world.driver.name
    assert (outputs.volume, outputs.size_bytes) == (world.volume, len(IMAGE))
    [found] = world.driver.list_snapshots(world.volume, {"blueprint-runner.dev/token": ctx.token})
    assert dict(found.tags) == {
        "app": "shop",
        "blueprint-runner.dev/token": ctx.token,
        "blueprint-runner.dev/run": ctx.run_id,
        "blueprint-runner.dev/phase": "snapshot",
    }


def test_find_returns_what_the_call_returned(world: World) -> None:
    ctx = world.context("snapshot")
    assert world.find(ctx) is None
    outputs = world.snapshot(ctx)
    assert world.find(world.context("snapshot", attempt=2)) == outputs
    assert world.find(world.context("another")) is None


def test_exported_volume_comes_back(world: World) -> None:
    exported = world.export(world.snapshot().id, "export")
    assert (exported.method, exported.reason) == ("full", "there is no earlier export")
    assert (exported.volume, exported.size_bytes) == (world.volume, len(IMAGE))
    restored = world.restore(exported.export)
    assert (restored.target, restored.bytes) == (world.target, len(IMAGE))
    assert world.read(world.target) == IMAGE


def test_second_export_reads_only_what_changed(world: World) -> None:
    first = world.export(world.snapshot().id, "first")
    changed = bytearray(IMAGE)
    changed[100_000:100_005] = b"hello"
    world.write(world.volume, bytes(changed))
    second = world.export(world.snapshot(world.context("later")).id, "second", base=first.export)
    assert (second.method, second.reason) == ("changed", "the snapshot of the earlier export was compared")
    assert 0 < second.bytes_read <= 3 * 65_536 < first.bytes_read
    assert (first.blocks, second.blocks) == (("allocated" if first.bytes_skipped else "all"), "changed")
    assert first.bytes_skipped == len(IMAGE) - first.bytes_read
    assert second.bytes_skipped == len(IMAGE) - second.bytes_read
    assert world.restore(second.export).bytes == len(IMAGE)
    assert world.read(world.target) == bytes(changed)


def test_export_without_the_earlier_snapshot_reads_all_and_says_why(world: World) -> None:
    snapshot = world.snapshot().id
    first = world.export(snapshot, "first")
    world.delete(snapshot)
    second = world.export(world.snapshot(world.context("later")).id, "second", base=first.export)
    assert (second.method, second.bytes_new) == ("rescan", 0)
    assert second.reason == f"the snapshot {snapshot} is gone"
    assert second.blocks == first.blocks
    world.restore(second.export)
    assert world.read(world.target) == IMAGE


def test_export_with_a_lost_base_is_full(world: World) -> None:
    lost = ids.ExportId("0" * 26)
    exported = world.export(world.snapshot().id, "export", base=lost)
    assert (exported.method, exported.reason) == ("full", f"the earlier export {lost} is gone")


@pytest.mark.parametrize("is_named", [False, True])
def test_export_with_a_damaged_base_is_full_and_warns(world: World, is_named: bool) -> None:
    base = world.export(world.snapshot().id, "first").export
    for info in list(world.repo.location.list("data/")):
        world.repo.location.put(info.name, [bytes(info.size)], overwrite=True)
    phase = world.context("second", bases={} if is_named else {world.volume: base})
    arguments = export_snapshot.ExportSnapshotArgs(
        snapshot=world.snapshot(world.context("later")).id, base=base if is_named else None
    )
    second = export_snapshot.export_snapshot.call(phase, arguments)
    assert isinstance(second, export_snapshot.ExportSnapshotOutputs)
    assert second.method == "full"
    assert second.reason.startswith(f"the earlier export {base} cannot be relied on: data/")
    assert phase.warnings == [f"everything is read, because {second.reason}"]
    assert world.restore(second.export).bytes == len(IMAGE)
    assert world.read(world.target) == IMAGE


def test_export_with_a_named_base_insists_on_it(world: World) -> None:
    arguments = export_snapshot.ExportSnapshotArgs(snapshot=world.snapshot().id, base="0" * 26)
    with pytest.raises(failures.ExportMissing):
        export_snapshot.export_snapshot.call(world.context("export"), arguments)


def test_export_is_found_by_its_token(world: World) -> None:
    snapshot = world.snapshot().id
    ctx = world.context("export")
    arguments = export_snapshot.ExportSnapshotArgs(snapshot=snapshot)
    assert export_snapshot.find_export(ctx, arguments, ctx.token) is None
    exported = world.export(snapshot, "export")
    assert export_snapshot.find_export(ctx, arguments, ctx.token) == exported


def test_export_reports_progress_up_to_the_end(world: World) -> None:
    ctx = world.context("export")
    export_snapshot.export_snapshot.call(ctx, export_snapshot.ExportSnapshotArgs(snapshot=world.snapshot().id))
    assert ctx.reports
    assert ctx.reports[-1].unit == "bytes"
    assert ctx.reports[-1].description == world.volume


def test_existing_volume_is_kept_without_overwrite(world: World) -> None:
    exported = world.export(world.snapshot().id, "export")
    world.write(world.target, b"precious")
    with pytest.raises(errors.EnvironmentProblem) as caught:
        world.restore(exported.export)
    assert caught.value.code == "RT310"
    assert world.read(world.target) == b"precious"


def test_existing_volume_is_replaced_with_overwrite(world: World) -> None:
    exported = world.export(world.snapshot().id, "export")
    world.write(world.target, b"old")
    world.restore(exported.export, overwrite=True)
    assert world.read(world.target) == IMAGE


def test_restored_volume_is_found_after_a_crash_and_no_other_is(world: World) -> None:
    exported = world.export(world.snapshot().id, "export")
    ctx, arguments = world.context("restore"), world.restore_args(exported.export)
    world.write(world.target, b"somebody else's")
    assert restore_volume.find_volume(ctx, arguments, ctx.token) is None
    restored = world.restore(exported.export, overwrite=True)
    assert restore_volume.find_volume(ctx, arguments, ctx.token) == restored
    other = world.context("another")
    assert restore_volume.find_volume(other, arguments, other.token) is None


def test_cancelled_restore_leaves_no_volume(world: World) -> None:
    exported = world.export(world.snapshot().id, "export")
    ctx = world.context("restore")
    ctx.cancel.cancel(cancel.Reason.CANCELLED)
    with pytest.raises(errors.Cancelled):
        restore_volume.restore_volume.call(ctx, world.restore_args(exported.export))
    with pytest.raises(drivers.VolumeMissing):
        world.driver.create_snapshot(world.target, {}, cancel.CancelToken())


def test_delete_may_be_repeated(world: World) -> None:
    snapshot = world.snapshot().id
    assert world.delete(snapshot) is None
    assert world.delete(snapshot) is None
    assert world.driver.list_snapshots(world.volume, {}) == []


def test_export_names_the_snapshot_that_it_replaces_as_the_base(world: World) -> None:
    old = world.snapshot().id
    first = world.export(old, "first")
    second = world.export(world.snapshot(world.context("later")).id, "second", base=first.export)
    assert (first.base_snapshot, second.base_snapshot) == ("", old)
    assert world.delete(first.base_snapshot) is None
    world.delete(second.base_snapshot)
    third = world.export(world.snapshot(world.context("last")).id, "third", base=second.export)
    assert third.method == "changed"


def test_base_can_be_kept_without_its_blocks(world: World) -> None:
    taken = world.snapshot().id
    first = world.export(taken, "first")
    for snapshot in (taken, taken, "", f"{world.driver.name}:gone"):
        arguments = delete_snapshot.DeleteSnapshotArgs(snapshot=snapshot, keep_base=True)
        delete_snapshot.delete_snapshot.call(world.context("delete"), arguments)
    assert world.export(world.snapshot(world.context("later")).id, "second", base=first.export).method == "changed"


def test_missing_volume_is_reported(world: World) -> None:
    world.volume += "-missing"
    with pytest.raises(drivers.VolumeMissing) as caught:
        world.snapshot()
    assert caught.value.code == "RT302"


# States and delays, on the memory driver


def slow_world(world: World, **options: Any) -> World:
    world.driver = memory_driver.MemoryDriver(clock=world.clock, **options)
    world.volume = "disk"
    world.driver.put_volume("disk", IMAGE)
    return world


def test_snapshot_waits_until_it_is_ready(world: World) -> None:
    slow_world(world, ready_after=timedelta(minutes=5))
    outputs = world.snapshot()
    assert world.driver.get_snapshot(outputs.id).state is drivers.SnapshotState.READY
    assert world.clock.monotonic() >= 300


def test_find_waits_for_a_snapshot_that_is_still_pending(world: World) -> None:
    slow_world(world, ready_after=timedelta(minutes=5))
    ctx = world.context("snapshot")
    tags = {"blueprint-runner.dev/token": ctx.token}
    taken = world.driver.create_snapshot("disk", tags, ctx.cancel)
    found = world.find(ctx)
    assert found is not None
    assert found.id == taken.id
    assert world.driver.get_snapshot(taken.id).state is drivers.SnapshotState.READY


def test_find_waits_out_the_listing_delay(world: World) -> None:
    slow_world(world, listing_delay=timedelta(minutes=2))
    ctx = world.context("snapshot")
    taken = world.driver.create_snapshot("disk", {"blueprint-runner.dev/token": ctx.token}, ctx.cancel)
    found = world.find(ctx)
    assert found is not None
    assert found.id == taken.id


def test_failed_snapshot_is_removed_and_reported(world: World) -> None:
    slow_world(world, ready_after=timedelta(hours=1))
    ctx = world.context("snapshot")

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.driver, name)

        def get_snapshot(self, snapshot: ids.SnapshotId) -> drivers.Snapshot:
            world.driver.fail_snapshot(snapshot)
            failed: drivers.Snapshot = world.driver.get_snapshot(snapshot)
            return failed

    ctx.drivers["memory"] = Failing()
    with pytest.raises(drivers.StorageError, match="failed"):
        world.snapshot(ctx)
    assert world.driver.list_snapshots("disk", {}) == []
    assert world.find(ctx) is None


def test_lost_answer_is_found_again(world: World) -> None:
    slow_world(world)
    inner = world.driver
    lost = faults.Fault(method="create_snapshot", error=drivers.StorageUnavailable("no answer"), lost_answer=True)
    world.driver = faults.FaultyDriver(inner, faults.FaultSet(lost))
    ctx = world.context("snapshot")
    with pytest.raises(drivers.StorageUnavailable):
        world.snapshot(ctx)
    found = world.find(ctx)
    assert found is not None
    assert [one.id for one in inner.list_snapshots("disk", {})] == [found.id]


class SnapshotsOnly:
    """A driver with the required methods alone."""

    name = "memory"
    listing_delay = timedelta(0)

    def __init__(self, inner: memory_driver.MemoryDriver) -> None:
        self.create_snapshot = inner.create_snapshot
        self.get_snapshot = inner.get_snapshot
        self.list_snapshots = inner.list_snapshots
        self.delete_snapshot = inner.delete_snapshot


def test_driver_that_cannot_read_blocks_is_refused(world: World) -> None:
    slow_world(world)
    snapshot = world.snapshot().id
    world.driver = SnapshotsOnly(world.driver)
    with pytest.raises(errors.EnvironmentProblem) as caught:
        world.export(snapshot, "export")
    assert caught.value.code == "RT306"


def test_driver_that_cannot_write_blocks_is_refused(world: World) -> None:
    slow_world(world)
    exported = world.export(world.snapshot().id, "export")
    world.driver = SnapshotsOnly(world.driver)
    with pytest.raises(errors.EnvironmentProblem) as caught:
        world.restore(exported.export, target="new")
    assert caught.value.code == "RT306"


def test_driver_that_cannot_compare_makes_a_rescan(world: World) -> None:
    slow_world(world)
    first = world.export(world.snapshot().id, "first")
    snapshot = world.snapshot(world.context("later")).id
    world.driver = SnapshotsOnly(world.driver)
    world.driver.open_snapshot = world.driver.create_snapshot.__self__.open_snapshot
    second = world.export(snapshot, "second", base=first.export)
    assert (second.method, second.reason) == ("rescan", "the driver memory cannot tell what changed")


def test_snapshot_of_a_directory_is_read_by_path(world: World, tmp_path: Path) -> None:
    storage = file_driver.FileDriver(clock=world.clock)
    world.driver, world.volume = storage, str(tmp_path / "tree")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_text("content")
    outputs = world.snapshot()
    (tmp_path / "tree" / "file").write_text("later")
    assert (Path(outputs.path) / "file").read_text() == "content"
    with pytest.raises(drivers.StorageError) as caught:
        world.export(outputs.id, "export")
    assert caught.value.code == "RT306"
