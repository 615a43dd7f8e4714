"""`SnapshotVolume`: a point-in-time image of a volume, held by its storage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pydantic

from runner.functions import tree_sizes
from runner.registry import args, context, driver, estimates
from runner.registry.args import argument
from runner.registry.function import Effects, function

TAG_PREFIX = "blueprint-runner.dev/"
_INTERVAL = timedelta(seconds=2)
# The timeout of the phase ends the wait earlier; this is for phases that have none.
_LONGEST = timedelta(days=1)


class SnapshotVolumeArgs(args.Arguments):
    """Arguments of `SnapshotVolume`."""

    volume: str = argument(
        "The volume; for the driver `file` the path of a raw image or directory, for `qcow2` that of an image.",
        example="/var/lib/vms/disk.img",
    )
    driver: str = argument("The storage driver that holds the volume.", default="file", example="file")
    tags: Mapping[str, str] = argument("Tags put on the snapshot.", default={}, example={"app": "shop"})


class SnapshotVolumeOutputs(args.Outputs):
    """Outputs of `SnapshotVolume`."""

    id: str = pydantic.Field(description="Handle of the snapshot; it starts with the name of its driver.")
    volume: str = pydantic.Field(description="The volume.")
    size_bytes: int = pydantic.Field(description="Size of the volume in bytes.")
    method: str = pydantic.Field(description="How the snapshot was taken, for people.")
    path: str = pydantic.Field(description="Where this machine can read it as a file or directory; else empty.")


@function("SnapshotVolume", effects=Effects.CREATES, idempotent=False)
def snapshot_volume(ctx: context.PhaseContext, args: SnapshotVolumeArgs) -> SnapshotVolumeOutputs:
    """Take a snapshot of a volume and wait until it is ready.

    The driver `file` works on raw images and directories of this machine: by reflink where the file system can,
    otherwise by copying what holds data, and an image that is written to meanwhile is refused. A directory is copied
    file by file; back up the output `path` with `BackupFiles`.

    The driver `qcow2` puts an internal snapshot and a dirty bitmap into a qcow2 image, which stays at its path; a guest
    may be started at any time. It needs the programs of QEMU (`qemu-utils`). The disk of a running guest is named by
    its QMP socket, `qmp:/run/guest.qmp?node=NAME`, with `&nbd=SOCKET` if it has an NBD server already. The guest then
    copies old content before it overwrites it, until the snapshot is deleted or given up with `keepBase`. While it
    holds the snapshot the disk keeps its size; after one was made smaller, delete its snapshots, so that all is read
    once.
    """
    storage = ctx.driver(args.driver)
    tags = {**args.tags, **_own_tags(ctx, ctx.token)}
    return _ready(ctx, storage, storage.create_snapshot(args.volume, tags, ctx.cancel))


@snapshot_volume.finder
def find_snapshot(ctx: context.PhaseContext, args: SnapshotVolumeArgs, token: str) -> SnapshotVolumeOutputs | None:
    """Look for the snapshot that an earlier attempt took."""
    storage = ctx.driver(args.driver)
    tags = {f"{TAG_PREFIX}token": token}
    found = storage.list_snapshots(args.volume, tags)
    if not found and storage.listing_delay:
        ctx.cancel.wait(storage.listing_delay.total_seconds())
        found = storage.list_snapshots(args.volume, tags)
    usable = [one for one in found if one.state is not driver.SnapshotState.FAILED]
    return _ready(ctx, storage, usable[0]) if usable else None


@snapshot_volume.estimator
def estimate(args: SnapshotVolumeArgs, budget: estimates.Budget) -> estimates.Size | None:
    """Take the size of what the volume holds, where it is a file or directory of this machine."""
    return tree_sizes.of_paths([args.volume], budget) if args.driver == "file" else None


def _own_tags(ctx: context.PhaseContext, token: str) -> Mapping[str, str]:
    return {f"{TAG_PREFIX}token": token, f"{TAG_PREFIX}run": ctx.run_id, f"{TAG_PREFIX}phase": ctx.phase}


def _ready(ctx: context.PhaseContext, storage: driver.SnapshotDriver, taken: driver.Snapshot) -> SnapshotVolumeOutputs:
    def look() -> driver.Snapshot | None:
        seen = storage.get_snapshot(taken.id)
        return None if seen.state is driver.SnapshotState.PENDING else seen

    ended = taken
    if taken.state is driver.SnapshotState.PENDING:
        ended = ctx.poll(look, interval=_INTERVAL, timeout=_LONGEST, describe=f"the snapshot {taken.id} to be ready")
    if ended.state is driver.SnapshotState.FAILED:
        storage.delete_snapshot(ended.id)
        raise driver.StorageError(f"the snapshot {ended.id} of {ended.volume} failed", hint="look at the storage's log")
    return SnapshotVolumeOutputs(
        id=ended.id, volume=ended.volume, size_bytes=ended.size_bytes, method=ended.method, path=ended.path
    )
