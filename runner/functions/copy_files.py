"""`CopyFiles`: files to another directory of the same machine."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import pydantic

from runner.functions import tree_arguments
from runner.registry import args, context
from runner.registry.args import argument
from runner.registry.function import Effects, function


class CopyFilesArgs(args.Arguments):
    """Arguments of `CopyFiles`."""

    paths: Annotated[list[tree_arguments.AbsolutePath], pydantic.Field(min_length=1)] = argument(
        "Files and directories, as absolute paths; a symbolic link given here is followed.", example=["/etc/shop"]
    )
    target: tree_arguments.AbsolutePath = argument(
        "Directory that receives one entry per path, named as that path's last part; made if missing.",
        example="/var/backups/shop",
    )
    exclude: tree_arguments.Patterns = argument(tree_arguments.EXCLUDE, default=[], example=["*.log", "cache/"])
    overwrite: bool = argument(
        "Whether what the target holds under the same names may be replaced; `--overwrite` allows it too.",
        default=False,
        example=True,
    )


@function("CopyFiles", effects=Effects.MUTATES, idempotent=True)
def copy_files(ctx: context.PhaseContext, args: CopyFilesArgs) -> tree_arguments.FilesOutputs:
    """Copy files and directories with owners, modes, times, extended attributes, links and holes."""
    from runner.repository import tree_copy, tree_walk

    copied = tree_copy.copy_tree(
        tree_walk.Scope(roots=[Path(path) for path in args.paths], exclude=args.exclude),
        Path(args.target),
        token=ctx.token,
        record=ctx.work / "placed",
        overwrite=args.overwrite or ctx.overwrite,
        cancel=ctx.cancel,
        progress=tree_arguments.report(ctx, args.target),
        warn=ctx.warn,
    )
    return tree_arguments.FilesOutputs(target=args.target, files=copied.files, bytes=copied.bytes)


@copy_files.finder
def find_files(ctx: context.PhaseContext, args: CopyFilesArgs, token: str) -> tree_arguments.FilesOutputs | None:
    """Remove what an earlier attempt left unfinished; whether it was complete is not known, so it is run again."""
    from runner.repository import tree_place

    with contextlib.suppress(OSError):  # the next attempt tries again, and tells why it cannot
        tree_place.clear(Path(args.target), token)
    return None
