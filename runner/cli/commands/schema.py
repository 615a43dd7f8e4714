"""`runner schema`."""

from __future__ import annotations

import json

import click

from runner.base import codes, errors, resources, suggest
from runner.cli import commanding
from runner.cli import console as consoles

_SUFFIX = ".schema.json"


@click.command("schema", cls=commanding.Command)
@click.argument("name", required=False)
@click.pass_obj
def command(console: consoles.Console, name: str | None) -> int:
    """Print a JSON Schema, for editors.

    Without a NAME, the schemas are listed.

    \b
      runner schema blueprint > blueprint.schema.json
      runner schema functions/BackupFiles
    """
    directory = resources.schemas()
    files = {str(path.relative_to(directory)).removesuffix(_SUFFIX): path for path in directory.rglob(f"*{_SUFFIX}")}
    if name is None:
        rows = [{"name": known, "path": str(files[known])} for known in sorted(files)]
        console.records(rows, lambda rows: [str(row["name"]) for row in rows])
        return codes.Exit.OK
    if name not in files:
        raise errors.UsageError(f'there is no schema "{name}"', hint=suggest.hint(name, files))
    text = files[name].read_text(encoding="utf-8")
    console.result(json.loads(text), text.splitlines)
    return codes.Exit.OK
