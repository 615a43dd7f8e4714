"""`runner schema`."""

from __future__ import annotations

import json

import click

from runner.app import application as applications
from runner.base import codes, errors, resources, suggest
from runner.cli import application, commanding
from runner.cli import console as consoles
from runner.registry import editorschema, plugins

# The one that depends on what is installed: its file knows the built-in functions alone.
_EDITOR = "editor/blueprint"
_SUFFIX = ".schema.json"


@click.command("schema", cls=commanding.Command)
@click.argument("name", required=False)
@click.pass_obj
def command(console: consoles.Console, name: str | None) -> int:
    """Print a JSON Schema, for editors.

    Without a NAME, the schemas are listed. `editor/blueprint` has the arguments of all functions, also of those that
    plugins bring.

    \b
      runner schema editor/blueprint > blueprint.schema.json
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
    text = _for_editors(console) if name == _EDITOR else files[name].read_text(encoding="utf-8")
    console.result(json.loads(text), text.splitlines)
    return codes.Exit.OK


def _for_editors(console: consoles.Console) -> str:
    app = application.of(console)
    text = editorschema.text(app.registry.functions.values())
    for name in _lacking(app):
        console.note(f'the function "{name}" is left out, since its plugin cannot be loaded; see `runner plugins`')
    return text


def _lacking(app: applications.Application) -> list[str]:
    return [plugin.name for plugin in app.plugins if plugin.group == plugins.FUNCTIONS and plugin.error]
