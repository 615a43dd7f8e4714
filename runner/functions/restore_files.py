"""`RestoreFiles`: exported files back to a directory."""

from __future__ import annotations

from pathlib import Path

from runner.base import ids
from runner.functions import tree_arguments
from runner.registry import args, context
from runner.registry.args import argument
from runner.registry.function import Effects, function


class RestoreFilesArgs(args.Arguments):
    """Arguments of `RestoreFiles`."""

    export: str = argument("Id of the export.", example="{{ artifactsIn.files.export }}")
    target: tree_arguments.AbsolutePath = argument(
        "Directory that receives one entry per path of the backup, named as that path's last part; made if missing.",
        example="/srv/shop-restored",
    )


@function("RestoreFiles", effects=Effects.CREATES, idempotent=True)
def restore_files(ctx: context.PhaseContext, args: RestoreFilesArgs) -> tree_arguments.FilesOutputs:
    """Restore files, or a database of `SqliteBackup`, with everything that was kept of them.

    What the target already holds under the same names is replaced only with `--overwrite`; then other files stay, and
    the stale `-wal`, `-shm` and `-journal` files of a replaced SQLite database go. The target never shows anything
    half-restored. Without root, owners cannot be set, which is a warning.
    """
    from runner.repository import exports, repository, tree_restore

    repo, export = ctx.service(repository.Repository), ids.ExportId(args.export)
    restored = tree_restore.restore_tree(
        repo,
        export,
        Path(args.target),
        token=ctx.token,
        record=ctx.work / "placed",
        overwrite=ctx.overwrite,
        cancel=ctx.cancel,
        progress=tree_arguments.report(ctx, args.target, exports.size_of(repo.manifest(export))),
        warn=ctx.warn,
    )
    return tree_arguments.FilesOutputs(target=args.target, files=restored.files, bytes=restored.bytes)


@restore_files.finder
def find_files(ctx: context.PhaseContext, args: RestoreFilesArgs, token: str) -> tree_arguments.FilesOutputs | None:
    """Look whether an earlier attempt put everything in place; what else it left is removed."""
    from runner.repository import repository, tree_restore

    restored = tree_restore.find_restored(
        lambda: ctx.service(repository.Repository),
        ids.ExportId(args.export),
        Path(args.target),
        token=token,
        record=ctx.work / "placed",
    )
    if restored is None:
        return None
    return tree_arguments.FilesOutputs(target=args.target, files=restored.files, bytes=restored.bytes)
