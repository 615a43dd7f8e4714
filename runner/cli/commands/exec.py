"""`runner exec`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.app import foresee, prepare
from runner.cli import application, commanding, driving, options, preview
from runner.cli import console as consoles


@click.command("exec", cls=commanding.Command)
@click.argument("blueprint", type=click.Path(path_type=Path))
@options.action
@options.set_values
@options.set_files
@options.input_files
@options.location
@options.passphrase_file
@options.object_name
@click.option(
    "--from",
    "restore_from",
    metavar="latest|RUN|POINT",
    help="The restore point that the action takes. [default: latest]",
)
@click.option("--overwrite", is_flag=True, help="Let a restore write over existing data.")
@click.option("--run-id", metavar="ID", help="Id for the run, so that a script can run it exactly once.")
@click.option("--dry-run", is_flag=True, help="Check everything and show the plan; run nothing.")
@click.pass_obj
def command(
    console: consoles.Console,
    /,
    passphrase_file: Path | None,
    run_id: str | None,
    dry_run: bool,
    **order: object,
) -> int:
    """Plan and run one action of a blueprint.

    Everything is checked before anything is touched. A backup goes into an encrypted repository and prints how to
    restore it; Ctrl-C cancels and undoes what was done, and a run that was interrupted can be resumed.

    \b
      runner exec blueprint.yaml
      runner exec blueprint.yaml --set database=/srv/app.db --location file:///mnt/backups
      runner exec blueprint.yaml --action restore --from latest
    """
    app = application.of(console, passphrase_file=passphrase_file)
    prepared = prepare.prepare(app, prepare.Order(**order))  # type: ignore[arg-type]
    for warning in preview.warnings(console, prepared.warnings):
        console.err.line(warning)
    if dry_run:
        return preview.show(console, app, prepared)
    foresee.refuse_doomed(prepared.request)
    app.expire_runs()
    directory = app.runs.create(prepared.request, run_id)
    return driving.drive(console, app, directory, prepared.request.plan).exit
