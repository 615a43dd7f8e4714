"""`runner repository`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click

from runner.base import codes, durations, quantities
from runner.cli import application, commanding, follow_ups, options, phrases, shapes, working
from runner.cli import console as consoles
from runner.cli.commands import (
    repository_browse,
    repository_diff,
    repository_key,
    repository_mount,
    repository_repair,
    repository_stats,
)
from runner.repository import check as checks
from runner.repository import failures
from runner.repository import prune as pruning


@click.group("repository", cls=commanding.Group)
def command() -> None:
    """Make, check and prune repositories, and look into them."""


@command.command("init")
@options.location
@options.passphrase_file
@click.pass_obj
def init(console: consoles.Console, location: str | None, passphrase_file: Path | None) -> int:
    """Make an encrypted repository at a location.

    Whoever has the passphrase can read everything in it; without the passphrase nothing can be restored.
    """
    app = application.of(console, passphrase_file=passphrase_file, confirm=True)
    made = app.init_repository(app.target(location))
    console.result(
        {"repository": made.id, "location": made.location.url},
        lambda: [f"made the repository {made.id} at {made.location.url}"],
    )
    return codes.Exit.OK


@command.command("check")
@click.option(
    "--read-data",
    type=click.IntRange(1, 100),
    is_flag=False,
    flag_value=100,
    metavar="[PERCENT]",
    help="Also read data and hash it again: all of it, or in so many percent of the packs, others every week.",
)
@options.location
@options.passphrase_file
@click.pass_obj
def check(console: consoles.Console, read_data: int | None, location: str | None, passphrase_file: Path | None) -> int:
    """Look for damage, and name the restore points that it concerns.

    Without --read-data only what the repository knows about its data is read. Nothing is changed; the location may be
    read-only, and exports, restores and a pruning may go on meanwhile.
    """
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    with working.watched(console, app.clock, "checking", unit="packs") as progress:
        report = checks.check(repository, read_data is not None, percent=read_data or 100, progress=progress)
    console.result(shapes.of(report), lambda: _report(console, report))
    if report.problems:
        raise failures.RepositoryDamaged(
            f"{phrases.count(len(report.problems), 'object')} of the repository at {repository.location.url} "
            f"{'is' if len(report.problems) == 1 else 'are'} damaged or missing",
            hint=_remedy(report),
        )
    return codes.Exit.OK


@command.command("prune")
@click.option(
    "--unfinished",
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="Keep exports younger than this although they belong to no restore point: their run may still go on.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be freed.")
@options.location
@options.passphrase_file
@click.pass_obj
def prune(
    console: consoles.Console, unfinished: str, dry_run: bool, location: str | None, passphrase_file: Path | None
) -> int:
    """Free the space of what no restore point needs.

    Can be interrupted at any moment and run again. Exports and restores may go on meanwhile: what they may rely on is
    only condemned, and removed by a later pruning.
    """
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    with working.in_stages(console, app.clock) as report:
        done = pruning.prune(
            repository,
            unfinished=_duration(unfinished),
            dry_run=dry_run,
            progress=lambda stage, count, total: report(stage, stage.unit, count, total),
        )
    if not dry_run:
        repository.location.sweep()
    console.result({**shapes.of(done), "dryRun": dry_run}, lambda: _pruned(done, dry_run=dry_run))
    if done.packs_damaged:
        raise failures.RepositoryDamaged(
            f"{phrases.count(done.packs_damaged, 'pack')} of the repository at {repository.location.url} could not be "
            "packed anew, because what is needed in there is damaged; all else was done",
            hint="run `runner repository check --read-data`, which names the restore points that are concerned",
        )
    return codes.Exit.OK


command.add_command(repository_repair.command)
command.add_command(repository_key.command)
command.add_command(repository_browse.ls)
command.add_command(repository_browse.cat)
command.add_command(repository_diff.diff)
command.add_command(repository_mount.mount)
command.add_command(repository_stats.stats)


def _remedy(report: checks.Report) -> str:
    concerned = sorted({point[:8] for problem in report.problems for point in problem.restore_points})
    damaged = {problem.object.partition("/")[0] for problem in report.problems}
    if damaged <= {"index", "gc"}:
        return "run `runner repository repair`, which rebuilds the index"
    first = "run `runner repository repair`, which rebuilds the index; then " if damaged & {"index", "gc"} else ""
    if not concerned:
        return f"{first}no restore point needs what is damaged; put the objects back from a copy of the repository"
    return (
        f"{first}put the objects back from a copy of the repository, or make a new backup; "
        f"these restore points are concerned: {', '.join(concerned)}"
    )


def _duration(text: str) -> timedelta:
    try:
        return durations.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--unfinished") from error


def _pruned(done: pruning.PruneResult, *, dry_run: bool) -> Iterator[str]:
    freed = quantities.bytes_for_people(done.bytes_freed)
    yield (
        f"{'would free' if dry_run else 'freed'} {freed}: {phrases.count(done.packs_removed, 'pack')} removed, "
        f"{done.packs_rewritten} rewritten, {phrases.count(done.chunks_removed, 'chunk')} gone"
    )
    yield (
        f"kept {quantities.bytes_for_people(done.bytes_kept)}: {phrases.count(done.packs_kept, 'pack')}, "
        f"{phrases.count(done.chunks_kept, 'chunk')} needed"
        + (f"; {done.packs_locked} of these packs are locked by a retention or legal hold" if done.packs_locked else "")
    )
    if done.packs_spared:
        yield f"{phrases.count(done.packs_spared, 'pack')} condemned earlier and needed again since, so kept"
    if done.waiting_for:
        verb = "would be condemned" if dry_run else "condemned"
        size = quantities.bytes_for_people(done.bytes_condemned)
        yield (
            f"{verb}: {size} in {phrases.count(done.packs_condemned, 'pack')}, "
            f"{phrases.count(done.chunks_condemned, 'chunk')}, that a later pruning removes when these have finished:"
        )
        yield from (f"    {holder}" for holder in done.waiting_for)


def _report(console: consoles.Console, report: checks.Report) -> Iterator[str]:
    for problem in report.problems:
        yield console.style(f"✗ {problem.object}", fg="red") + f": {problem.message}"
        if problem.restore_points:
            yield f"    needed by {', '.join(point[:8] for point in problem.restore_points)}"
    yield from repository_repair.conditions(console, report.conditions)
    read = (
        f", {quantities.bytes_for_people(report.bytes_read)} read in {report.packs_read} of "
        f"{phrases.count(report.packs, 'pack')}"
        if report.packs_read
        else ""
    )
    checked = (
        f"{phrases.count(report.objects, 'object')}, {phrases.count(report.restore_points, 'restore point')}{read}"
    )
    if report.problems:
        yield f"{phrases.count(len(report.problems), 'problem')} in {checked}"
    else:
        yield f"{checked}: no problems"
    if report.unused_packs:
        unused = phrases.count(report.unused_packs, "pack")
        remedy = follow_ups.complete(console.settings, "`runner repository prune` frees them")
        yield f"{unused} left by interrupted exports; {remedy}"
