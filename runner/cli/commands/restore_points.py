"""`runner restore-points`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from runner.app import stored
from runner.base import clock, codes, errors, quantities
from runner.base.jsonvalue import JsonObject
from runner.cli import application, commanding, extracting, follow_ups, options, phrases, working
from runner.cli import console as consoles
from runner.model.restore_point import RestorePoint
from runner.repository import failures
from runner.repository import points as stored_points


@click.group("restore-points", cls=commanding.Group)
def command() -> None:
    """List, verify, restore and delete restore points.

    A restore point is what one successful backup left in a repository; each can be restored by itself and deleted in
    any order. POINT is its id or the start of it, or `latest` (but not to delete it).
    """


@command.command("list")
@click.option("--blueprint", help="List only those of this blueprint.")
@options.location
@options.passphrase_file
@click.pass_obj
def list_(console: consoles.Console, blueprint: str | None, location: str | None, passphrase_file: Path | None) -> int:
    """List restore points, newest first."""
    app = application.of(console, passphrase_file=passphrase_file)
    damaged: list[failures.RepositoryDamaged] = []
    points = app.open_repository(app.target(location)).points(on_damaged=damaged.append)
    rows = [_row(point) for point in points if blueprint in (None, point.blueprint)]
    console.records(rows, lambda rows: _table(console, rows))
    if damaged:
        raise damaged[0]
    return codes.Exit.OK


@command.command("show")
@click.argument("point")
@options.location
@options.passphrase_file
@click.pass_obj
def show(console: consoles.Console, point: str, location: str | None, passphrase_file: Path | None) -> int:
    """Show one restore point: its exports, artifacts and inputs."""
    app = application.of(console, passphrase_file=passphrase_file)
    found = app.open_repository(app.target(location)).point(point)
    console.result(_whole(found), lambda: _text(console, found))
    return codes.Exit.OK


@command.command("delete")
@click.argument("points", nargs=-1, required=True, metavar="POINT…")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@options.location
@options.passphrase_file
@click.pass_obj
def delete(
    console: consoles.Console,
    points: tuple[str, ...],
    dry_run: bool,
    location: str | None,
    passphrase_file: Path | None,
) -> int:
    """Delete restore points by their ids; `runner repository prune` then frees the space."""
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    if stored_points.LATEST in points:
        raise _refused_by_that_word(repository.point(stored_points.LATEST))
    # All are found before the first is deleted, so that a mistyped id deletes nothing.
    chosen = [repository.find_point(prefix) for prefix in points]
    for point in chosen if not dry_run else ():
        repository.delete_point(point)
    verb = "would delete" if dry_run else "deleted"
    rows: list[JsonObject] = [{"id": point, "deleted": not dry_run} for point in chosen]
    console.records(rows, lambda rows: [f"{verb} restore point {row['id']}" for row in rows])
    return codes.Exit.OK


@command.command("verify")
@click.argument("points", nargs=-1, metavar="[POINT…]")
@options.location
@options.passphrase_file
@click.pass_obj
def verify(
    console: consoles.Console, points: tuple[str, ...], location: str | None, passphrase_file: Path | None
) -> int:
    """Read every byte of restore points and check it; all of them when none is named."""
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    damaged: list[failures.RepositoryDamaged] = []
    chosen = [repository.point(prefix) for prefix in points] if points else repository.points(on_damaged=damaged.append)
    for problem in damaged:
        console.warn(problem.message)
    failed = len(damaged)
    if not chosen and not damaged:
        console.note("there are no restore points")
    for point in chosen:
        with working.watched(console, app.clock, f"verifying {point.id[:8]}") as report:
            verified = stored.verify(repository, point, report)
        failed += bool(verified.problems)
        console.records([verified.to_json()], lambda _, verified=verified: verified.lines())  # type: ignore[misc]
    if failed:
        raise failures.RepositoryDamaged(
            f"{failed} of {phrases.count(len(chosen) + len(damaged), 'restore point')} cannot be restored completely",
            hint="run `runner repository check --read-data` to learn which objects are damaged",
        )
    return codes.Exit.OK


@command.command("restore")
@click.argument("point")
@click.option("--action", metavar="NAME", help="The action of the stored blueprint to run. [default: restore]")
@click.option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help="Restore only what matches, without the blueprint; repeatable. Patterns are those of a .gitignore file.",
)
@click.option(
    "--to",
    type=click.Path(file_okay=False),
    help="Restore into this directory, without the blueprint. [default with --include: restored-POINT]",
)
@options.set_values
@options.set_files
@options.input_files
@options.location
@options.passphrase_file
@click.option("--overwrite", is_flag=True, help="Let the restore write over existing data.")
@click.option("--run-id", metavar="ID", help="Id for the run.")
@click.option("--dry-run", is_flag=True, help="Check everything and show the plan; run nothing.")
@click.pass_obj
def restore(
    console: consoles.Console,
    /,
    point: str,
    passphrase_file: Path | None,
    run_id: str | None,
    dry_run: bool,
    include: tuple[str, ...],
    to: str | None,
    **order: Any,
) -> int:
    """Restore with the blueprint that the restore point itself holds; no blueprint file is needed.

    With --to or --include nothing is run: exports, or what matches of them, are written into a directory, volumes and
    streams as files with the names that `runner repository ls` shows.
    """
    if to == "":  # as a variable of the shell that is not set
        raise errors.UsageError("the directory of --to is empty", hint="name it; . is the current one")
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(order["location"]))
    found = repository.point(point)
    if include or to is not None:
        extracting.refuse_run_options(order, run_id)
        extracting.extract(
            console, app, repository, found, include=include, to=to, overwrite=order["overwrite"], dry_run=dry_run
        )
        return codes.Exit.OK
    # Here: the other commands need nothing of what prepares and drives runs, which takes long to import.
    from runner.app import foresee, prepare
    from runner.cli import driving, preview

    order["action"] = order["action"] or "restore"
    # Relative paths of its inputs start here: where the blueprint lay when it was stored means nothing now.
    stand_in = Path.cwd() / f"{found.blueprint}.yaml"
    whole = prepare.Order(blueprint=stand_in, object=found.object, **order)
    prepared = prepare.prepare_restore(app, whole, found)
    if dry_run:
        return preview.show(console, app, prepared)
    foresee.refuse_doomed(prepared.request)
    directory = app.runs.create(prepared.request, run_id)
    return driving.drive(console, app, directory, prepared.request.plan).exit


def _refused_by_that_word(latest: RestorePoint) -> errors.UsageError:
    """A backup that ends meanwhile, or the same command once more, would delete another one."""
    return errors.UsageError(
        '"latest" is not deleted by that word, which means another restore point after the next backup',
        code="RT101",
        hint=f"by now it is {latest.id[:8]}, made {phrases.when(clock.isoformat(latest.created))}; "
        "name it by that id if it is the one to delete",
    )


def _row(point: RestorePoint) -> JsonObject:
    whole = _whole(point)
    return {name: whole[name] for name in whole if name not in ("blueprintText", "artifacts", "inputs", "exports")}


def _whole(point: RestorePoint) -> JsonObject:
    return stored.to_json(point)


def _table(console: consoles.Console, rows: Sequence[Any]) -> Iterator[str]:
    if not rows:
        console.note("there are no restore points")
    yield from consoles.table(
        ["POINT", "BLUEPRINT", "OBJECT", "CREATED", "EXPORTS", "READ", "STORED"],
        [
            (
                row["id"][:8],
                row["blueprint"],
                row["object"] or "–",
                phrases.when(row["created"]),
                str(row["exportCount"]),
                quantities.bytes_for_people(row["bytesRead"]),
                quantities.bytes_for_people(row["bytesStored"]),
            )
            for row in rows
        ],
        right=frozenset({4, 5, 6}),
    )


def _text(console: consoles.Console, point: RestorePoint) -> Iterator[str]:
    yield console.style(f"Restore point {point.id}", bold=True)
    yield f"  of {point.blueprint} › {point.action}{f', {point.object}' if point.object else ''}"
    yield f"  made {phrases.when(clock.isoformat(point.created))} by run {point.run}"
    yield ""
    yield from consoles.table(
        ["PHASE", "KIND", "READ", "STORED", "EXPORT", "SOURCE"],
        [
            (
                export.phase,
                export.kind,
                quantities.bytes_for_people(export.bytes_read),
                quantities.bytes_for_people(export.bytes_stored),
                export.export,
                export.source,
            )
            for export in point.exports
        ],
    )
    yield ""
    yield f"  restore:  {follow_ups.command(console.settings, f'runner restore-points restore {point.id[:8]}')}"
