"""`RestoreVolume`: an exported volume into a new one."""

from __future__ import annotations

import pydantic

from runner.base import errors, ids
from runner.registry import args, context, driver
from runner.registry.args import argument
from runner.registry.function import Effects, function


class RestoreVolumeArgs(args.Arguments):
    """Arguments of `RestoreVolume`."""

    export: str = argument("Id of the export.", example="{{ artifactsIn.disk.export }}")
    target: str = argument(
        "The volume to make; for the driver `file` the path of a raw image, for `qcow2` that of a qcow2 image.",
        example="/var/lib/vms/restored.img",
    )
    driver: str = argument("The storage driver that is to hold the volume.", default="file", example="file")


class RestoreVolumeOutputs(args.Outputs):
    """Outputs of `RestoreVolume`."""

    target: str = pydantic.Field(description="The volume that was made.")
    bytes: int = pydantic.Field(description="Its size in bytes.")


@function("RestoreVolume", effects=Effects.CREATES, idempotent=False)
def restore_volume(ctx: context.PhaseContext, args: RestoreVolumeArgs) -> RestoreVolumeOutputs:
    """Restore an exported volume into a new one, which appears when it is complete.

    A volume that exists is replaced only with `--overwrite`, and then as a whole.
    """
    from runner.repository import repository, volumes

    repo = ctx.service(repository.Repository)
    export = ids.ExportId(args.export)
    size = volumes.size_of(repo, export)
    with _storage(ctx, args).create_volume(args.target, size, overwrite=ctx.overwrite, token=ctx.token) as writer:
        volumes.restore_volume(
            repo,
            export,
            writer,
            cancel=ctx.cancel,
            progress=lambda done, total: ctx.progress(done, total, "bytes", args.target),
        )
    return RestoreVolumeOutputs(target=args.target, bytes=size)


@restore_volume.finder
def find_volume(ctx: context.PhaseContext, args: RestoreVolumeArgs, token: str) -> RestoreVolumeOutputs | None:
    """Look for the volume that an earlier attempt made."""
    from runner.repository import repository, volumes

    if not _storage(ctx, args).made_with(args.target, token):
        return None
    size = volumes.size_of(ctx.service(repository.Repository), ids.ExportId(args.export))
    return RestoreVolumeOutputs(target=args.target, bytes=size)


def _storage(ctx: context.PhaseContext, args: RestoreVolumeArgs) -> driver.WriteBlocks:
    storage = ctx.driver(args.driver)
    if not isinstance(storage, driver.WriteBlocks):
        raise errors.EnvironmentProblem(
            f"the driver {args.driver} cannot make a volume", code="RT306", hint="choose another driver"
        )
    return storage
