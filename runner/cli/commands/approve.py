"""`runner approve`."""

from __future__ import annotations

import click

from runner.cli import application, commanding, completing, driving
from runner.cli import console as consoles
from runner.engine import inbox


@click.command("approve", cls=commanding.Command)
@click.argument("run", shell_complete=completing.runs)
@click.argument("phase")
@click.option("--comment", default="", help="Why; kept in the journal of the run.")
@click.pass_obj
def command(console: consoles.Console, run: str, phase: str, comment: str) -> int:
    """Approve a phase that waits for a person.

    If nobody drives the run, it goes on here.
    """
    app = application.of(console)
    directory = app.runs.find(run)
    driving.check_waits(directory, phase, app.clock.now())
    return driving.exit_of(driving.ask(console, app, directory, [inbox.Approve(phase, comment)]))
