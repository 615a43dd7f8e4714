"""`DeleteSnapshot`: remove a snapshot from its storage."""

from __future__ import annotations

from runner.base import ids
from runner.registry import args, context, driver
from runner.registry.args import argument
from runner.registry.function import Effects, function


class DeleteSnapshotArgs(args.Arguments):
    """Arguments of `DeleteSnapshot`."""

    snapshot: str = argument("Handle of the snapshot.", example="{{ phases.snapshot.outputs.id }}")


@function("DeleteSnapshot", effects=Effects.DELETES, idempotent=True)
def delete_snapshot(ctx: context.PhaseContext, args: DeleteSnapshotArgs) -> None:
    """Delete a snapshot; one that does not exist any more is fine, and so is an empty handle.

    To keep the latest snapshot as the base of the next export, delete the one that it replaces: the output
    `baseSnapshot` of `ExportSnapshot`, which is empty on the first run.
    """
    if not args.snapshot:
        return
    snapshot = ids.SnapshotId(args.snapshot)
    ctx.driver(driver.driver_of(snapshot)).delete_snapshot(snapshot)
