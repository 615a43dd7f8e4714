"""`runner plan`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.app import prepare
from runner.base import codes
from runner.cli import application, commanding, preview
from runner.cli import console as consoles
from runner.plan import explain, present


@click.command("plan", cls=commanding.Command)
@click.argument("blueprint", type=click.Path(path_type=Path))
@click.option("--action", help="The action to plan. [default: backup, or the only one]")
@click.pass_obj
def command(console: consoles.Console, blueprint: Path, action: str | None) -> int:
    """Show what an action would do, in which order and why.

    Needs no inputs, no location and no credentials; `runner exec --dry-run` also resolves those.
    """
    app = application.of(console)
    checked, found = prepare.load_checked(app, blueprint)
    for warning in preview.warnings(console, found):
        console.err.line(warning)
    plan, _ = prepare.compile_action(app, checked, action)
    console.result({"plan": present.to_json(plan)}, lambda: explain.text(plan).rstrip("\n").splitlines())
    return codes.Exit.OK
