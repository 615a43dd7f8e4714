"""`runner cancel`."""

from __future__ import annotations

import click

from runner.base import codes
from runner.cli import application, commanding, completing, driving
from runner.cli import console as consoles
from runner.engine import inbox


@click.command("cancel", cls=commanding.Command)
@click.argument("run", shell_complete=completing.runs)
@click.pass_obj
def command(console: consoles.Console, run: str) -> int:
    """Cancel a run and undo what it did.

    A run that another process drives is asked to stop; one that nobody drives is unwound here.
    """
    app = application.of(console)
    code = driving.exit_of(driving.ask(console, app, app.runs.find(run), [inbox.Cancel()]))
    return codes.Exit.OK if code is codes.Exit.CANCELLED else code
