"""`ExportSnapshot`: the blocks of a snapshot into the repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pydantic

from runner.base import errors, ids
from runner.registry import args, context, driver
from runner.registry.args import argument
from runner.registry.function import Effects, function
from runner.repository import exports, failures, repository, volumes


class ExportSnapshotArgs(args.Arguments):
    """Arguments of `ExportSnapshot`."""

    snapshot: str = argument("Handle of the snapshot.", example="{{ phases.snapshot.outputs.id }}")
    base: str | None = argument(
        "The earlier export on which to build; without it that of the latest restore point.", default=None
    )


class ExportSnapshotOutputs(args.ExportOutputs):
    """Outputs of `ExportSnapshot`."""

    volume: str = pydantic.Field(description="The volume of the snapshot.")
    size_bytes: int = pydantic.Field(description="Size of the volume in bytes.")
    method: str = pydantic.Field(
        description="What was read: `full` (no earlier export), `changed` (what the storage says has changed), "
        "`rescan` (everything, though only what is new was stored)."
    )
    reason: str = pydantic.Field(description="Why it was read that way.")
    base_snapshot: str = pydantic.Field(
        description="Handle of the snapshot of the earlier export, which this one replaces as the base of the next; "
        "empty when there is none."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How the export is made, and why."""

    base: ids.ExportId | None
    changed: Iterator[driver.Extent] | None
    method: str
    reason: str
    snapshot: str = ""


@function("ExportSnapshot", effects=Effects.CREATES, idempotent=True)
def export_snapshot(ctx: context.PhaseContext, args: ExportSnapshotArgs) -> ExportSnapshotOutputs:
    """Export a snapshot of a volume into the repository.

    The export is complete, whatever it builds on. Where there is an earlier export whose snapshot still exists, and
    the storage can compare the two, only what changed is read. Otherwise everything is read, and what the repository
    has already is not stored again.
    """
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
    way = _choose(ctx, repo, storage, described, args.base)
    with storage.open_snapshot(snapshot) as reader:
        result = volumes.export_volume(
            repo,
            reader,
            source=described.volume,
            token=ctx.token,
            base=way.base,
            changed=way.changed,
            cancel=ctx.cancel,
            progress=lambda done, total: ctx.progress(done, total, "bytes", described.volume),
            facts={"snapshot": snapshot, "method": way.method, "reason": way.reason, "baseSnapshot": way.snapshot},
            run=ctx.run_id,
        )
    ctx.log.info("volume.exported", volume=described.volume, method=way.method, reason=way.reason)
    return _outputs(repo.manifest(result.export), described.size_bytes)


@export_snapshot.finder
def find_export(ctx: context.PhaseContext, args: ExportSnapshotArgs, token: str) -> ExportSnapshotOutputs | None:
    """Look for the export that an earlier attempt made."""
    repo = ctx.service(repository.Repository)
    manifest = repo.find_export(token)
    return None if manifest is None else _outputs(manifest, volumes.size_of(repo, manifest.export))


def _choose(
    ctx: context.PhaseContext,
    repo: repository.Repository,
    storage: driver.SnapshotDriver,
    snapshot: driver.Snapshot,
    given: str | None,
) -> _Way:
    base = ids.ExportId(given) if given else ctx.base_export(snapshot.volume)
    if base is None:
        return _Way(base=None, changed=None, method="full", reason="there is no earlier export")
    try:
        earlier = str(repo.manifest(base).facts.get("snapshot", ""))
    except failures.ExportMissing:
        if given:
            raise
        return _Way(base=None, changed=None, method="full", reason="the earlier export is gone")
    if not isinstance(storage, driver.ChangedBlocks):
        return _rescan(base, earlier, f"the driver {storage.name} cannot tell what changed")
    changed = storage.changed_extents(ids.SnapshotId(earlier), snapshot.id)
    if changed is None:
        return _rescan(base, earlier, "the snapshot of the earlier export is gone or cannot be compared")
    reason = "the snapshot of the earlier export was compared"
    return _Way(base=base, changed=changed, method="changed", reason=reason, snapshot=earlier)


def _rescan(base: ids.ExportId, earlier: str, reason: str) -> _Way:
    return _Way(base=base, changed=None, method="rescan", reason=reason, snapshot=earlier)


def _outputs(manifest: exports.Manifest, size_bytes: int) -> ExportSnapshotOutputs:
    return ExportSnapshotOutputs(
        export=manifest.export,
        bytes_read=manifest.bytes_read,
        bytes_new=manifest.bytes_new,
        bytes_stored=manifest.bytes_stored,
        volume=manifest.source,
        size_bytes=size_bytes,
        method=str(manifest.facts["method"]),
        reason=str(manifest.facts["reason"]),
        base_snapshot=str(manifest.facts["baseSnapshot"]),
    )
