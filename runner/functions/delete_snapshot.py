"""`DeleteSnapshot`: remove a snapshot from its storage."""

from __future__ import annotations

import contextlib

from runner.base import ids
from runner.registry import args, context, driver
from runner.registry.args import argument
from runner.registry.function import Effects, function


class DeleteSnapshotArgs(args.Arguments):
    """Arguments of `DeleteSnapshot`."""

    snapshot: str = argument("Handle of the snapshot.", example="{{ phases.snapshot.outputs.id }}")
    keep_base: bool = argument(
        "Keep what it takes to compare the next snapshot with this one, and give up the rest where keeping it costs "
        "something.",
        default=False,
        example=True,
    )


@function("DeleteSnapshot", effects=Effects.DELETES, idempotent=True)
def delete_snapshot(ctx: context.PhaseContext, args: DeleteSnapshotArgs) -> None:
    """Delete a snapshot; one that does not exist any more is fine, and so is an empty handle.

    To keep the latest snapshot as the base of the next export, delete the one that it replaces: the output
    `baseSnapshot` of `ExportSnapshot`, which is empty on the first run. Some storage pays for every snapshot while its
    volume is in use, as the driver `qcow2` does for running guests: there, let a phase after the export give the latest
    one up with `keepBase`, which leaves a dirty bitmap. Where nothing is to be gained, `keepBase` does nothing.
    """
    if not args.snapshot:
        return
    snapshot = ids.SnapshotId(args.snapshot)
    storage = ctx.driver(driver.driver_of(snapshot))
    if not args.keep_base:
        storage.delete_snapshot(snapshot)
    elif isinstance(storage, driver.ReleaseBlocks):
        with contextlib.suppress(driver.SnapshotMissing):
            storage.release_blocks(snapshot)
