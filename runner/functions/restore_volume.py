"""`RestoreVolume`: an exported volume into a new one, or onto one that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pydantic

from runner.base import errors, ids
from runner.registry import args, context, driver
from runner.registry.args import argument
from runner.registry.function import Effects, function

if TYPE_CHECKING:
    from runner.repository import repository


class RestoreVolumeArgs(args.Arguments):
    """Arguments of `RestoreVolume`."""

    export: str = argument("Id of the export.", example="{{ artifactsIn.disk.export }}")
    target: str = argument(
        "The volume to make; for the driver `file` the path of a raw image, for `qcow2` that of a qcow2 image.",
        example="/var/lib/vms/restored.img",
    )
    driver: str = argument("The storage driver that is to hold the volume.", default="file", example="file")
    mode: Literal["new", "differences"] = argument(
        "`new` makes a volume, which appears when it is complete. `differences` writes onto the volume that exists, a "
        "block device for instance, what differs, and fetches nothing else.",
        default="new",
        example="differences",
    )


class RestoreVolumeOutputs(args.Outputs):
    """Outputs of `RestoreVolume`."""

    target: str = pydantic.Field(description="The volume that was made or written to.")
    bytes: int = pydantic.Field(description="Size of the restored volume in bytes.")
    bytes_written: int = pydantic.Field(
        description="Bytes that were written: what is not zero, or with `mode: differences` what differed."
    )


@function("RestoreVolume", effects=Effects.CREATES, idempotent=False)
def restore_volume(ctx: context.PhaseContext, args: RestoreVolumeArgs) -> RestoreVolumeOutputs:
    """Restore an exported volume into a new one, which appears when it is complete.

    A volume that exists is replaced only with `--overwrite`, and then as a whole.

    With `mode: differences`, which needs `--overwrite` too, the volume that exists is compared block by block with what
    is to be there, and only what differs is fetched and written, in place. Until that has finished it is neither the
    old volume nor the new one; what was interrupted is finished by restoring again. A block device must not be in use,
    nor too small; what lies behind the end of the restored volume stays as it is. An image gets the size of the
    restored volume.
    """
    from runner.repository import repository, volumes

    repo = ctx.service(repository.Repository)
    export = ids.ExportId(args.export)
    size = volumes.size_of(repo, export)
    if args.mode == "differences":
        return _update(ctx, args, repo, export, size)
    with _storage(ctx, args).create_volume(args.target, size, overwrite=ctx.overwrite, token=ctx.token) as writer:
        written = volumes.restore_volume(
            repo,
            export,
            writer,
            cancel=ctx.cancel,
            progress=lambda done, total: ctx.progress(done, total, "bytes", args.target),
        )
    return RestoreVolumeOutputs(target=args.target, bytes=size, bytes_written=written)


def _update(
    ctx: context.PhaseContext,
    args: RestoreVolumeArgs,
    repo: repository.Repository,
    export: ids.ExportId,
    size: int,
) -> RestoreVolumeOutputs:
    from runner.repository import volume_update

    storage = ctx.driver(args.driver)
    if not isinstance(storage, driver.AtRest):
        raise errors.EnvironmentProblem(
            f"the driver {args.driver} cannot write onto a volume that exists",
            code="RT306",
            hint="restore into a new one, with `mode: new`",
        )
    if not ctx.overwrite:
        raise errors.EnvironmentProblem(
            f"{args.target} would be written to in place",
            code="RT310",
            hint="allow --overwrite, or restore into a new volume with `mode: new`",
        )
    with storage.update_volume(args.target, size) as target:
        done = volume_update.update_volume(
            repo,
            export,
            target,
            cancel=ctx.cancel,
            progress=lambda compared, total: ctx.progress(compared, total, "bytes", args.target),
        )
    ctx.log.info("volume.updated", target=args.target, written=done.bytes_written, alike=done.bytes_alike)
    return RestoreVolumeOutputs(target=args.target, bytes=size, bytes_written=done.bytes_written)


@restore_volume.finder
def find_volume(ctx: context.PhaseContext, args: RestoreVolumeArgs, token: str) -> RestoreVolumeOutputs | None:
    """Look for the volume that an earlier attempt made; one that was written to in place is compared again."""
    from runner.repository import repository, volumes

    if args.mode == "differences" or not _storage(ctx, args).made_with(args.target, token):
        return None
    repo, export = ctx.service(repository.Repository), ids.ExportId(args.export)
    return RestoreVolumeOutputs(
        target=args.target, bytes=volumes.size_of(repo, export), bytes_written=volumes.data_of(repo, export)
    )


def _storage(ctx: context.PhaseContext, args: RestoreVolumeArgs) -> driver.WriteBlocks:
    storage = ctx.driver(args.driver)
    if not isinstance(storage, driver.WriteBlocks):
        raise errors.EnvironmentProblem(
            f"the driver {args.driver} cannot make a volume", code="RT306", hint="choose another driver"
        )
    return storage
