"""`runner plan`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.app import foresee, prepare
from runner.cli import application, commanding, options, preview
from runner.cli import console as consoles
from runner.plan import explain, present


@click.command("plan", cls=commanding.Command)
@click.argument("blueprint", type=click.Path(path_type=Path))
@click.option("--action", help="The action to plan. [default: backup, or the only one]")
@options.set_values
@options.set_files
@options.input_files
@options.location
@options.object_name
@click.pass_obj
def command(console: consoles.Console, /, **order: object) -> int:
    """Show what an action would do, in which order and why.

    Needs no inputs, no location and no credentials: what is not known yet is said to be known later. `runner exec
    --dry-run` also looks for the repository and the restore point.
    """
    app = application.of(console)
    foreseen = foresee.of_order(app, prepare.Order(**order))  # type: ignore[arg-type]
    for warning in preview.warnings(console, foreseen.warnings):
        console.err.line(warning)
    found = foreseen.outlook
    console.result(
        {"plan": present.to_json(found.plan), "outlook": present.outlook_json(found)},
        lambda: explain.text(found).rstrip("\n").splitlines(),
    )
    return preview.exit_of(found)
