"""`runner resume`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.base import errors
from runner.cli import application, commanding, completing, driving, options
from runner.cli import console as consoles
from runner.engine import inbox
from runner.engine.runs import RunDirectory

_HOW = ("rerun", "succeeded", "failed")


@click.command("resume", cls=commanding.Command)
@click.argument("run", shell_complete=completing.runs)
@click.option(
    "--settle",
    "settles",
    multiple=True,
    metavar="PHASE=HOW",
    help="Say how the last attempt of a phase ended: rerun (it did nothing), succeeded or failed.",
)
@options.passphrase_file
@click.pass_obj
def command(console: consoles.Console, run: str, settles: tuple[str, ...], passphrase_file: Path | None) -> int:
    """Go on with an interrupted or waiting run.

    The run continues from its journal; the blueprint file is not read again. Phases that may or may not have taken
    effect when the runner died are looked up, run again where that is safe, or settled by you.
    """
    app = application.of(console, passphrase_file=passphrase_file)
    directory = app.runs.find(run)
    asks = [_settle(directory, text) for text in settles]
    return driving.exit_of(driving.ask(console, app, directory, asks))


def _settle(directory: RunDirectory, text: str) -> inbox.Settle:
    node, _, how = text.rpartition("=")
    if not node or how not in _HOW:
        raise errors.UsageError(
            f'"{text}" does not settle a phase', hint="write --settle PHASE=rerun, =succeeded or =failed"
        )
    driving.check_node(directory, node)
    return inbox.Settle(node, how)
