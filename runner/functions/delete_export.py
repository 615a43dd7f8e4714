"""`DeleteExport`: an export out of the repository."""

from __future__ import annotations

from runner.base import ids
from runner.registry import args, context
from runner.registry.args import argument
from runner.registry.function import Effects, function


class DeleteExportArgs(args.Arguments):
    """Arguments of `DeleteExport`."""

    export: str = argument("Id of the export.", example="{{ phases.files.outputs.export }}")


@function("DeleteExport", effects=Effects.DELETES, idempotent=True)
def delete_export(ctx: context.PhaseContext, args: DeleteExportArgs) -> None:
    """Delete an export that no restore point names; one that is not there is no error.

    Its space is freed by the next `runner repository prune`.
    """
    from runner.repository import repository

    ctx.service(repository.Repository).delete_export(ids.ExportId(args.export))
