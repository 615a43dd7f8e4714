"""`runner repository`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.base import codes
from runner.cli import application, commanding, options
from runner.cli import console as consoles


@click.group("repository", cls=commanding.Group)
def command() -> None:
    """Make, check and prune repositories; manage their keys."""


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
