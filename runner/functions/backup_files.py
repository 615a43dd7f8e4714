"""`BackupFiles`: files and directories into the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pydantic

from runner.base import own_places
from runner.functions import tree_arguments, tree_sizes
from runner.registry import args, context, estimates
from runner.registry.args import argument
from runner.registry.function import Effects, function


class BackupFilesArgs(args.Arguments):
    """Arguments of `BackupFiles`."""

    paths: Annotated[list[tree_arguments.AbsolutePath], pydantic.Field(min_length=1)] = argument(
        "Files and directories, as absolute paths; a symbolic link given here is followed.", example=["/srv/shop/media"]
    )
    exclude: tree_arguments.Patterns = argument(tree_arguments.EXCLUDE, default=[], example=["*.log", "cache/"])
    unreadable: Literal["fail", "skip"] = argument(
        "Whether a file that cannot be read fails the phase, or is left out with a warning.", default="fail"
    )


@function("BackupFiles", effects=Effects.CREATES, idempotent=True)
def backup_files(ctx: context.PhaseContext, args: BackupFilesArgs) -> tree_arguments.FilesExportOutputs:
    """Back up files and directories with owners, modes, times, extended attributes, links and holes.

    Of files that are as the latest restore point of the same paths has them (size, times, inode), neither content nor
    extended attributes are read again. A file that changes while it is read is kept as it was read, with a warning: for
    consistency, stop the application, take a snapshot, or use its own dump. The repository and the runs of the runner
    are left out, with a warning.
    """
    from runner.repository import repository, tree_capture, tree_walk

    repo = ctx.service(repository.Repository)
    source = ", ".join(args.paths)
    result = tree_capture.backup_tree(
        repo,
        tree_walk.Scope(
            roots=[Path(path) for path in args.paths],
            exclude=args.exclude,
            unreadable=tree_walk.Unreadable(args.unreadable),
            own=ctx.service(own_places.OwnPlaces),
        ),
        source=source,
        token=ctx.token,
        base=ctx.base_export(source),
        run=ctx.run_id,
        cancel=ctx.cancel,
        progress=tree_arguments.report(ctx, source),
        warn=ctx.warn,
    )
    ctx.log.info("files.exported", paths=args.paths, method=result.method, reason=result.reason)
    return tree_arguments.outputs_of(repo.manifest(result.export))


@backup_files.finder
def find_export(
    ctx: context.PhaseContext, args: BackupFilesArgs, token: str
) -> tree_arguments.FilesExportOutputs | None:
    """Look for the export that an earlier attempt made."""
    from runner.repository import repository

    manifest = ctx.service(repository.Repository).find_export(token)
    return None if manifest is None else tree_arguments.outputs_of(manifest)


@backup_files.estimator
def estimate(args: BackupFilesArgs, budget: estimates.Budget) -> estimates.Size | None:
    """Add up the files; those that have not changed are not read again, so it can be less."""
    return tree_sizes.of_paths(args.paths, budget, exclude=args.exclude)
