"""`runner plugins`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from runner.base import codes
from runner.base.jsonvalue import JsonObject
from runner.cli import application, commanding
from runner.cli import console as consoles


@click.command("plugins", cls=commanding.Command)
@click.pass_obj
def command(console: consoles.Console) -> int:
    """List plugins, also those that cannot be loaded.

    Plugins are Python packages that bring functions, drivers or location types through the entry points
    runner.functions, runner.drivers and runner.locations. One that cannot be loaded is shown with its traceback;
    it keeps only those blueprints from running that need it.
    """
    plugins = application.of(console).plugins
    rows: list[JsonObject] = [
        {
            "name": plugin.name,
            "group": plugin.group,
            "distribution": plugin.distribution,
            "value": plugin.value,
            "error": plugin.error or None,
        }
        for plugin in plugins
    ]
    console.records(rows, lambda rows: _text(console, rows))
    return codes.Exit.OK


def _text(console: consoles.Console, rows: Sequence[Any]) -> Iterator[str]:
    if not rows:
        yield "no plugins are installed"
    yield from consoles.table(
        ["NAME", "KIND", "FROM", "STATE"],
        [
            (row["name"], row["group"].removeprefix("runner."), row["distribution"], "failed" if row["error"] else "ok")
            for row in rows
        ],
    )
    for row in rows:
        if row["error"]:
            yield ""
            yield console.style(f"{row['name']} from {row['distribution']} cannot be loaded:", fg="red")
            yield from (f"  {line}" for line in row["error"].splitlines())
