"""`runner repository key`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from runner.base import codes
from runner.base.jsonvalue import JsonObject
from runner.cli import application, commanding, options, phrases, shapes
from runner.cli import console as consoles
from runner.repository import keys

_NEW_FILE = click.option(
    "--new-passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File whose first line is the new passphrase. [default: ask]",
)


@click.group("key", cls=commanding.Group)
def command() -> None:
    """Manage the passphrases that open a repository.

    Each passphrase has a slot of its own; any of them opens the repository.
    """


@command.command("list")
@options.location
@options.passphrase_file
@click.pass_obj
def list_(console: consoles.Console, location: str | None, passphrase_file: Path | None) -> int:
    """List the slots."""
    app = application.of(console, passphrase_file=passphrase_file)
    rows: list[JsonObject] = [shapes.of(slot) for slot in keys.slots(app.open_repository(app.target(location)))]
    console.records(rows, _table)
    return codes.Exit.OK


@command.command("add")
@_NEW_FILE
@options.location
@options.passphrase_file
@click.pass_obj
def add(
    console: consoles.Console, new_passphrase_file: Path | None, location: str | None, passphrase_file: Path | None
) -> int:
    """Let one more passphrase open the repository."""
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    slot = keys.add(repository, application.new_passphrase(new_passphrase_file))
    console.result({"slot": slot}, lambda: [f"added the slot {slot}"])
    return codes.Exit.OK


@command.command("remove")
@click.argument("slot")
@options.location
@options.passphrase_file
@click.pass_obj
def remove(console: consoles.Console, slot: str, location: str | None, passphrase_file: Path | None) -> int:
    """Let the passphrase of a slot open the repository no longer.

    Whoever knows that passphrase and kept a copy of the repository can still read the copy.
    """
    app = application.of(console, passphrase_file=passphrase_file)
    keys.remove(app.open_repository(app.target(location)), slot)
    console.result({"removed": slot}, lambda: [f"removed the slot {slot}"])
    return codes.Exit.OK


@command.command("passwd")
@_NEW_FILE
@options.location
@options.passphrase_file
@click.pass_obj
def passwd(
    console: consoles.Console, new_passphrase_file: Path | None, location: str | None, passphrase_file: Path | None
) -> int:
    """Replace the passphrase by another one."""
    app = application.of(console, passphrase_file=passphrase_file)
    target = app.target(location)
    repository = app.open_repository(target)
    slot = keys.change(repository, app.passphrase(target), application.new_passphrase(new_passphrase_file))
    if target.passphrase_file is not None:
        console.warn(f"{target.passphrase_file} still holds the old passphrase: put the new one there")
    console.result({"slot": slot}, lambda: [f"changed the passphrase; its slot is {slot}"])
    return codes.Exit.OK


def _table(rows: Sequence[Any]) -> list[str]:
    return consoles.table(["SLOT", "CREATED"], [(row["slot"], phrases.when(row["created"])) for row in rows])
