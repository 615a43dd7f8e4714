"""`runner repository key`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from runner.base import codes, errors
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
    """Manage the passphrases and key services that open a repository.

    Each has a slot of its own; any of them opens the repository.
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
@click.option("--kms", metavar="ARN", help="A key (or an alias) of AWS KMS instead of a passphrase.")
@click.option(
    "--vault-transit",
    metavar="MOUNT/KEY",
    help="A key of the transit engine of HashiCorp Vault or OpenBao instead of a passphrase. [VAULT_ADDR, VAULT_TOKEN]",
)
@options.location
@options.passphrase_file
@click.pass_obj
def add(
    console: consoles.Console,
    new_passphrase_file: Path | None,
    kms: str | None,
    vault_transit: str | None,
    location: str | None,
    passphrase_file: Path | None,
) -> int:
    """Let one more passphrase, or a key service, open the repository.

    A key service lets machines open the repository by their own identity, without a passphrase on them. Keep a
    passphrase all the same: a key service can lose a key.
    """
    given = [value is not None for value in (new_passphrase_file, kms, vault_transit)]
    if sum(given) > 1:
        raise errors.UsageError("--new-passphrase-file, --kms and --vault-transit exclude each other")
    app = application.of(console, passphrase_file=passphrase_file)
    target = app.target(location)
    repository = app.open_repository(target)
    services = app.key_services(target)
    if kms is not None:
        slot = keys.add_service(repository, services["aws-kms"], kms)
    elif vault_transit is not None:
        slot = keys.add_service(repository, services["vault-transit"], vault_transit)
    else:
        slot = keys.add(repository, application.new_passphrase(new_passphrase_file))
    console.result({"slot": slot}, lambda: [f"added the slot {slot}"])
    return codes.Exit.OK


@command.command("remove")
@click.argument("slot")
@options.location
@options.passphrase_file
@click.pass_obj
def remove(console: consoles.Console, slot: str, location: str | None, passphrase_file: Path | None) -> int:
    """Let the passphrase or key of a slot open the repository no longer.

    Whoever knows that passphrase and kept a copy of the repository can still read the copy. The last slot that works
    is not removed.
    """
    app = application.of(console, passphrase_file=passphrase_file)
    target = app.target(location)
    keys.remove(app.open_repository(target), slot, app.key_services(target))
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
    cells = [(row["slot"], row["kind"], phrases.when(row["created"]), row["key"]) for row in rows]
    return consoles.table(["SLOT", "KIND", "CREATED", "KEY"], cells)
