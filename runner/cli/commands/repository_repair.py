"""`runner repository repair`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from runner.base import codes
from runner.cli import application, commanding, options, phrases, shapes, working
from runner.cli import console as consoles
from runner.repository import failures, losses
from runner.repository import repair as repairing

# Of what is gone of an export, so much is shown.
_SHOWN = 5


@click.command("repair", cls=commanding.Command)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@options.location
@options.passphrase_file
@click.pass_obj
def command(console: consoles.Console, dry_run: bool, location: str | None, passphrase_file: Path | None) -> int:
    """Rebuild the index from the packs, and say what of each restore point is left.

    No pack and no restore point is removed. Nobody else may use the repository meanwhile. Objects that are put back
    from a copy later are taken up by another repair.
    """
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    with working.watched(console, app.clock, "reading packs", unit="packs") as progress:
        done = repairing.repair(repository, dry_run=dry_run, progress=progress)
    console.result({**shapes.of(done), "dryRun": dry_run}, lambda: _report(console, done, dry_run=dry_run))
    broken = [point for point in done.points if point.condition is not losses.Condition.COMPLETE]
    count = len(broken) + len(done.points_damaged)
    if count:
        raise failures.RepositoryDamaged(
            f"{phrases.count(count, 'restore point')} of the repository at {repository.location.url} cannot be "
            "restored completely",
            hint="put missing objects back from a copy of the repository and repair again; what is left of a restore "
            "point can be restored with `runner restore-points restore POINT --include …`",
        )
    return codes.Exit.OK


def _report(console: consoles.Console, done: repairing.RepairResult, *, dry_run: bool) -> Iterator[str]:
    yield (
        f"{'would replace' if dry_run else 'replaced'} {phrases.count(len(done.segments_replaced), 'index segment')}: "
        f"{phrases.count(done.records_restored, 'chunk')} found again, {done.records_dropped} dropped"
    )
    for names, what in (
        (done.packs_missing, "is missing"),
        (done.packs_damaged, "is damaged"),
        (done.marks_removed, "could not be read, or marks an export that is lost, and is removed"),
        (done.points_damaged, "cannot be read"),
    ):
        yield from (console.style(f"✗ {name}", fg="red") + f" {what}" for name in names)
    yield from conditions(console, done.points)
    complete = sum(point.condition is losses.Condition.COMPLETE for point in done.points)
    yield f"{complete} of {phrases.count(len(done.points), 'restore point')} complete"


def conditions(console: consoles.Console, found: Iterable[losses.PointCondition]) -> Iterator[str]:
    """Say what of restore points is gone; nothing of those that are complete."""
    for point in found:
        if point.condition is losses.Condition.COMPLETE:
            continue
        what = "is lost" if point.condition is losses.Condition.LOST else "can be restored in part"
        yield console.style(f"restore point {point.restore_point[:8]} {what}", bold=True)
        for export in point.exports:
            gone = [*export.lost[:_SHOWN]]
            if export.lost_count > len(gone):
                gone.append(f"{export.lost_count - len(gone)} more (-o json names up to 100)")
            yield f"    gone from {export.phase}: {'; '.join(gone) or 'everything'}"
