"""`ExportVolume`: the blocks of a volume itself, without a snapshot, into the repository."""

from __future__ import annotations

from runner.base import errors
from runner.functions import tree_sizes, volume_exports
from runner.registry import args, context, driver, estimates
from runner.registry.args import argument
from runner.registry.function import Effects, function

_REASON = "it is read without a snapshot, so nothing tells what changed"


class ExportVolumeArgs(args.Arguments):
    """Arguments of `ExportVolume`."""

    volume: str = argument(
        "The volume; for the driver `file` the path of a block device or a raw image.", example="/dev/vdb"
    )
    driver: str = argument("The storage driver that holds the volume.", default="file", example="file")
    base: str | None = argument(
        "The earlier export on which to build; without it that of the latest restore point.",
        default=None,
        example="{{ artifactsIn.volume.export }}",
    )


class ExportVolumeOutputs(volume_exports.VolumeOutputs):
    """Outputs of `ExportVolume`."""


@function("ExportVolume", effects=Effects.CREATES, idempotent=True)
def export_volume(ctx: context.PhaseContext, args: ExportVolumeArgs) -> ExportVolumeOutputs:
    """Export a volume itself, for what has no snapshots: a block device, or an image whose writer is stopped.

    Nobody may write to it meanwhile. A device that is mounted, unless read-only, or in use otherwise is refused, and so
    is what was written to before all was read. All of it is read each time, since without a snapshot nothing tells what
    changed; what the repository has already is not stored again. Take a snapshot (`SnapshotVolume`, `ExportSnapshot`)
    where the storage can.
    """
    from runner.repository import repository, volumes

    repo = ctx.service(repository.Repository)
    base, _ = volume_exports.base_of(ctx, repo, args.volume, args.base)
    with _storage(ctx, args).open_volume(args.volume) as reader:
        result = volumes.export_volume(
            repo,
            reader,
            source=args.volume,
            token=ctx.token,
            base=base,
            changed=driver.Incomparable(_REASON),
            cancel=ctx.cancel,
            progress=lambda done, total: ctx.progress(done, total, "bytes", args.volume),
            facts={},
            run=ctx.run_id,
            confirm=reader.confirm,
            warn=ctx.warn,
        )
        size = reader.size_bytes
    ctx.log.info("volume.exported", volume=args.volume, method=result.method, reason=result.reason)
    return ExportVolumeOutputs(**volume_exports.described(repo.manifest(result.export), size))


@export_volume.finder
def find_export(ctx: context.PhaseContext, args: ExportVolumeArgs, token: str) -> ExportVolumeOutputs | None:
    """Look for the export that an earlier attempt made."""
    from runner.repository import repository, volumes

    repo = ctx.service(repository.Repository)
    manifest = repo.find_export(token)
    if manifest is None:
        return None
    return ExportVolumeOutputs(**volume_exports.described(manifest, volumes.size_of(repo, manifest.export)))


@export_volume.estimator
def estimate(args: ExportVolumeArgs, budget: estimates.Budget) -> estimates.Size | None:
    """Take the size of the device or image, where it is one of this machine."""
    return tree_sizes.of_volume(args.volume, budget) if args.driver == "file" else None


@export_volume.foreseer
def foresee(call: estimates.Call) -> estimates.Way | None:
    """Say that all will be read."""
    return estimates.Way(method="rescan", reason=_REASON)


def _storage(ctx: context.PhaseContext, args: ExportVolumeArgs) -> driver.AtRest:
    storage = ctx.driver(args.driver)
    if not isinstance(storage, driver.AtRest):
        raise errors.EnvironmentProblem(
            f"the driver {args.driver} cannot read a volume without a snapshot",
            code="RT306",
            hint="take a snapshot with SnapshotVolume, and export it with ExportSnapshot",
        )
    return storage
