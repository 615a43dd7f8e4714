"""`ExportSnapshot`: the blocks of a snapshot into the repository."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pydantic

from runner.base import errors, ids
from runner.functions import volume_exports
from runner.registry import args, context, driver, estimates
from runner.registry.args import argument
from runner.registry.function import Effects, function

if TYPE_CHECKING:
    from runner.repository import exports, repository


class ExportSnapshotArgs(args.Arguments):
    """Arguments of `ExportSnapshot`."""

    snapshot: str = argument("Handle of the snapshot.", example="{{ phases.snapshot.outputs.id }}")
    base: str | None = argument(
        "The earlier export on which to build; without it that of the latest restore point.",
        default=None,
        example="{{ artifactsIn.volume.export }}",
    )


class ExportSnapshotOutputs(volume_exports.VolumeOutputs):
    """Outputs of `ExportSnapshot`."""

    base_snapshot: str = pydantic.Field(
        description="Handle of the snapshot of the earlier export, which this one replaces as the base of the next; "
        "empty when there is none."
    )


@function("ExportSnapshot", effects=Effects.CREATES, idempotent=True)
def export_snapshot(ctx: context.PhaseContext, args: ExportSnapshotArgs) -> ExportSnapshotOutputs:
    """Export a snapshot of a volume into the repository.

    The export is complete, whatever it builds on. Where there is an earlier export whose snapshot still exists, and
    the storage can compare the two, only what changed is read. Otherwise everything is read, and what the repository
    has already is not stored again.
    """
    from runner.repository import repository, volumes

    snapshot = ids.SnapshotId(args.snapshot)
    storage = ctx.driver(driver.driver_of(snapshot))
    described = storage.get_snapshot(snapshot)
    if not isinstance(storage, driver.ReadBlocks):
        raise errors.EnvironmentProblem(
            f"the driver {storage.name} cannot read the blocks of a snapshot",
            code="RT306",
            hint="back up the files of the volume instead",
        )
    repo = ctx.service(repository.Repository)
    base, earlier = _base(ctx, repo, described.volume, args.base)
    with storage.open_snapshot(snapshot) as reader, _closing(_changed(storage, earlier, snapshot)) as changed:
        result = volumes.export_volume(
            repo,
            reader,
            source=described.volume,
            token=ctx.token,
            base=base,
            changed=changed,
            cancel=ctx.cancel,
            progress=lambda done, total: ctx.progress(done, total, "bytes", described.volume),
            facts={"snapshot": snapshot, "baseSnapshot": earlier},
            run=ctx.run_id,
            warn=ctx.warn,
        )
    ctx.log.info("volume.exported", volume=described.volume, method=result.method, reason=result.reason)
    return _outputs(repo.manifest(result.export), described.size_bytes)


@export_snapshot.finder
def find_export(ctx: context.PhaseContext, args: ExportSnapshotArgs, token: str) -> ExportSnapshotOutputs | None:
    """Look for the export that an earlier attempt made."""
    from runner.repository import repository, volumes

    repo = ctx.service(repository.Repository)
    manifest = repo.find_export(token)
    return None if manifest is None else _outputs(manifest, volumes.size_of(repo, manifest.export))


@export_snapshot.foreseer
def foresee(call: estimates.Call) -> estimates.Way | None:
    """Ask the driver of the volume whose snapshot is taken in the same run."""
    made = call.made_by.get("snapshot")
    if made is None or made.function != "SnapshotVolume":
        return None
    name, volume = str(made.arguments.get("driver", "file")), made.arguments.get("volume")
    storage = call.driver(name)
    if storage is None:
        return None
    if not isinstance(storage, driver.ChangedBlocks):
        return estimates.Way(method="rescan", reason=f"the driver {name} cannot tell what changed")
    unknown = "the driver cannot tell before" if isinstance(volume, str) else "which volume it is comes later"
    if isinstance(volume, str) and isinstance(storage, driver.ForeseesChanges):
        try:
            return storage.foresee_changes(volume)
        except errors.RunnerError as error:  # the phase will fail for it, unless it passes until then
            unknown = error.message
    reason = f"the driver {name} compares with the snapshot of the last restore point; without that all is read"
    return estimates.Way(method="changed", reason=f"{reason}; what it saves is not known: {unknown}")


def _base(
    ctx: context.PhaseContext, repo: repository.Repository, volume: str, given: str | None
) -> tuple[ids.ExportId | None, str]:
    """Return the earlier export, and the handle of its snapshot.

    Raises:
        ExportMissing: If the one that the blueprint names does not exist.
    """
    base, manifest = volume_exports.base_of(ctx, repo, volume, given)
    return base, "" if manifest is None else str(manifest.facts.get("snapshot", ""))


def _changed(
    storage: driver.SnapshotDriver, earlier: str, snapshot: ids.SnapshotId
) -> Iterator[driver.Extent] | driver.Incomparable:
    if not isinstance(storage, driver.ChangedBlocks):
        return driver.Incomparable(f"the driver {storage.name} cannot tell what changed")
    if not earlier:
        return driver.Incomparable("the earlier export was made without a snapshot")
    return storage.changed_extents(ids.SnapshotId(earlier), snapshot)


@contextmanager
def _closing(
    changed: Iterator[driver.Extent] | driver.Incomparable,
) -> Iterator[Iterator[driver.Extent] | driver.Incomparable]:
    """Let a source of extents that was not read to its end give back what it holds (a process, a connection)."""
    try:
        yield changed
    finally:
        if isinstance(changed, Generator):
            changed.close()


def _outputs(manifest: exports.Manifest, size_bytes: int) -> ExportSnapshotOutputs:
    described = volume_exports.described(manifest, size_bytes)
    return ExportSnapshotOutputs(**described, base_snapshot=str(manifest.facts["baseSnapshot"]))
