"""`runner plan`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.app import foresee, prepare
from runner.cli import application, commanding, options, pictures, preview
from runner.cli import console as consoles
from runner.plan import explain, present
from runner.plan.drawing import compose


@click.command("plan", cls=commanding.Command)
@click.argument("blueprint", type=click.Path(path_type=Path))
@options.action
@options.set_values
@options.set_files
@options.input_files
@options.location
@options.object_name
@pictures.option
@click.pass_obj
def command(console: consoles.Console, /, form: str | None, **order: object) -> int:
    """Show what an action would do, in which order and why.

    Needs no inputs, no location and no credentials: what is not known yet is said to be known later. `runner exec
    --dry-run` also looks for the repository and the restore point. What is bound to fail is shown, and exits with 3.

    \b
      runner plan blueprint.yaml
      runner plan blueprint.yaml --set database=/srv/app.db --format svg > plan.svg
    """
    app = application.of(console)
    foreseen = foresee.of_order(app, prepare.Order(**order))  # type: ignore[arg-type]
    for warning in preview.warnings(console, foreseen.warnings):
        console.err.line(warning)
    found = foreseen.outlook
    pictures.show(
        console,
        form,
        data=lambda: {"plan": present.to_json(found.plan), "outlook": present.outlook_json(found)},
        text=lambda: explain.text(found).rstrip("\n").splitlines(),
        picture=lambda: compose.picture(found),
    )
    return preview.exit_of(found)
