"""`runner functions`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from runner.base import codes
from runner.base.jsonvalue import JsonObject
from runner.cli import application, commanding
from runner.cli import console as consoles


@click.command("functions", cls=commanding.Command)
@click.argument("word", required=False)
@click.option(
    "--effects", type=click.Choice(["reads", "creates", "mutates", "deletes"]), help="Only those that do this."
)
@click.pass_obj
def command(console: consoles.Console, word: str | None, effects: str | None) -> int:
    """List the functions that phases can call.

    With a WORD, only those that have it in their name or description. `runner explain NAME` shows the arguments and
    outputs of one.
    """
    sought = (word or "").lower()
    rows: list[JsonObject] = [
        {
            "name": spec.name,
            "effects": spec.effects.value,
            "idempotent": spec.idempotent,
            "distribution": spec.distribution,
            "summary": spec.summary,
        }
        for spec in application.of(console).registry.functions.values()
        if effects in (None, spec.effects.value) and sought in f"{spec.name}\n{spec.description}".lower()
    ]
    if not rows:
        console.note("there is no such function")
    console.records(rows, _text)
    return codes.Exit.OK


def _text(rows: Sequence[Any]) -> list[str]:
    return consoles.table(["NAME", "EFFECTS", "DOES"], [(row["name"], row["effects"], row["summary"]) for row in rows])
