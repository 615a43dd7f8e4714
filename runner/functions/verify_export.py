"""`VerifyExport`: the proof that an export can be restored."""

from __future__ import annotations

import pydantic

from runner.base import ids, temporary
from runner.functions import tree_arguments
from runner.registry import args, context
from runner.registry.args import argument
from runner.registry.function import Effects, function


class VerifyExportArgs(args.Arguments):
    """Arguments of `VerifyExport`."""

    export: str = argument("Id of the export.", example="{{ artifactsIn.files.export }}")


class VerifyExportOutputs(args.Outputs):
    """Outputs of `VerifyExport`."""

    kind: str = pydantic.Field(description="What the export holds: `tree`, `stream` or `volume`.")
    files: int = pydantic.Field(description="Files that were compared; 0 unless it holds a tree.")
    bytes: int = pydantic.Field(description="Bytes that were compared.")


@function("VerifyExport", effects=Effects.READS, idempotent=True)
def verify_export(ctx: context.PhaseContext, args: VerifyExportArgs) -> VerifyExportOutputs:
    """Prove that an export is what was captured, and can be restored.

    Files are restored to a scratch directory of the run, within `limits.temporary` of the location, and compared one by
    one with the hashes and the metadata that were taken when they were captured; streams and volumes are read whole.
    The live source is not looked at.
    """
    from runner.repository import exports, repository, streams, tree_compare, tree_entries, volumes

    repo = ctx.service(repository.Repository)
    export = ids.ExportId(args.export)
    manifest = repo.manifest(export)
    kind = manifest.kind
    progress = tree_arguments.report(ctx, args.export, exports.size_of(manifest))
    if kind == tree_entries.KIND:
        with ctx.service(temporary.TemporarySpace).share(f"the scratch restore of {args.export}") as space:
            proved = tree_compare.verify_tree(repo, export, ctx.work, space=space, cancel=ctx.cancel, progress=progress)
        return VerifyExportOutputs(kind=kind, files=proved.files, bytes=proved.bytes)
    if kind == streams.KIND:
        size = streams.verify_stream(repo, export, cancel=ctx.cancel, progress=progress)
        return VerifyExportOutputs(kind=kind, files=0, bytes=size)
    size = volumes.verify_volume(
        repo, export, cancel=ctx.cancel, progress=lambda done, total: ctx.progress(done, total, "bytes", args.export)
    )
    return VerifyExportOutputs(kind=kind, files=0, bytes=size)
