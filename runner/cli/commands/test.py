"""`runner test`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.app import rehearsals
from runner.base import errors
from runner.cli import application, commanding, rehearsing
from runner.cli import console as consoles


@click.command("test", cls=commanding.Command)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("-k", "word", metavar="WORD", help="Only those with this word in their name or path.")
@click.option("--coverage", is_flag=True, help="Also show which ways through the blueprints no rehearsal takes.")
@click.option(
    "--fail-under",
    type=click.IntRange(0, 100),
    metavar="PERCENT",
    help="Fail if less of a blueprint is covered; implies --coverage.",
)
@click.pass_obj
def command(
    console: consoles.Console, paths: tuple[Path, ...], word: str | None, coverage: bool, fail_under: int | None
) -> int:
    """Rehearse blueprints without any server, and compare.

    Searches the PATHs, or the current directory, for *.rehearsal.yaml files. Each states what becomes of the phases
    of an action, failures, timeouts and crashes included, and what the run must come to. Functions are not called:
    nothing is contacted and nothing is changed.

    \b
      runner test
      runner test examples/04-volume -k fails --coverage
    """
    app = application.of(console)
    reader = rehearsals.Reader(app.registry)
    places = paths or (Path(),)
    documents = [reader.read(path) for path in rehearsals.files(places)]
    if word is not None:
        documents = [each for each in documents if word.lower() in f"{each.path} {each.name}".lower()]
    if not documents:
        raise errors.UsageError(f'no rehearsal has "{word}" in its name or path')
    report = rehearsing.Report(console, documents)
    report.refuse([each for each in documents if not each.is_valid])
    for document in documents:
        if document.is_valid:
            report.add(reader.perform(document, app.clock))
    if coverage or fail_under is not None:
        report.cover(reader.blueprints(places), fail_under or 0)
    report.finish()
    return report.exit
