"""`SqliteBackup`: one consistent moment of an SQLite database that is in use."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from runner.base import errors, temporary
from runner.functions import sqlite_copy, tree_arguments, tree_sizes
from runner.registry import args, context, estimates
from runner.registry.args import argument
from runner.registry.function import Effects, function


class SqliteBackupArgs(args.Arguments):
    """Arguments of `SqliteBackup`."""

    database: tree_arguments.AbsolutePath = argument("The database file.", example="/srv/shop/shop.sqlite")


@function("SqliteBackup", effects=Effects.CREATES, idempotent=True)
def sqlite_backup(ctx: context.PhaseContext, args: SqliteBackupArgs) -> tree_arguments.FilesExportOutputs:
    """Back up an SQLite database as it is at one moment, while others write to it.

    SQLite itself makes the copy, so what a log (`-wal`) holds is part of it. Writers go on in WAL mode; in the other
    modes they wait for the copy. `RestoreFiles` brings the database back under its name.
    """
    from runner.repository import repository, tree_capture, tree_walk

    database = Path(args.database).resolve()
    _see(database)
    repo = ctx.service(repository.Repository)
    folder = ctx.work / "sqlite"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    with ctx.service(temporary.TemporarySpace).share(f"the copy of {args.database}") as space, _removing(folder):
        copy = folder / Path(args.database).name
        sqlite_copy.copy(ctx, database, copy, space)
        _take_metadata(database, copy)
        result = tree_capture.backup_tree(
            repo,
            tree_walk.Scope(roots=[copy]),
            source=args.database,
            token=ctx.token,
            run=ctx.run_id,
            cancel=ctx.cancel,
            progress=tree_arguments.report(ctx, args.database, copy.stat().st_size),
            warn=ctx.warn,
        )
    return tree_arguments.outputs_of(repo.manifest(result.export))


@sqlite_backup.finder
def find_export(
    ctx: context.PhaseContext, args: SqliteBackupArgs, token: str
) -> tree_arguments.FilesExportOutputs | None:
    """Look for the export that an earlier attempt made."""
    from runner.repository import repository

    manifest = ctx.service(repository.Repository).find_export(token)
    return None if manifest is None else tree_arguments.outputs_of(manifest)


@sqlite_backup.estimator
def estimate(args: SqliteBackupArgs, budget: estimates.Budget) -> estimates.Size | None:
    """Take the size of the database file; what its log holds mostly replaces pages of it."""
    return tree_sizes.of_paths([args.database], budget)


@contextlib.contextmanager
def _removing(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(folder)


def _see(database: Path) -> None:
    if not database.exists():
        raise errors.PermanentError(f"there is no database at {database}", code="RT315", hint="correct the path")
    if not database.is_file():
        raise errors.PermanentError(
            f"{database} is not a file, so it is no database", code="RT316", hint="name the database file"
        )


def _take_metadata(database: Path, copy: Path) -> None:
    """Give the copy the owner, mode and time of the database, as far as this user can."""
    from runner.repository import tree_metadata

    metadata = tree_metadata.MetadataReader().read(os.fsencode(database), database.stat())
    tree_metadata.MetadataWriter().apply(os.fsencode(copy), metadata)
