"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from runner.base import quantities
from runner.cli import completing

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

passphrase_file = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the passphrase of the repository. [RUNNER_PASSPHRASE_FILE, RUNNER_PASSPHRASE]",
)


def _remember(context: click.Context, _: click.Parameter, value: str | None) -> str | None:
    """Keep the location, for the commands that messages tell to run next."""
    context.obj.settings.location = value
    return value


location = click.option(
    "--location",
    metavar="NAME|FILE|URL",
    callback=_remember,
    help="Where exports are: a configured name, a profile file, or a URL. [default: the repository of this machine]",
)

action = click.option(
    "--action", shell_complete=completing.actions, help="The action. [default: backup, or the only one]"
)

object_name = click.option("--object", metavar="KIND/NAMESPACE/NAME", help="The object that the run is about.")

set_values = click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Set an input; repeatable.")

set_files = click.option(
    "--set-file", "set_files", multiple=True, metavar="NAME=PATH", help="Set an input to the text of a file."
)

input_files = click.option(
    "--inputs",
    "input_files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML or JSON file with inputs.",
)


def size(name: str, **facts: Any) -> Callable[[Decorated], Decorated]:
    """Return an option for a number of bytes: `4096`, `64KiB`, `1.5GiB`."""
    return click.option(name, metavar="SIZE", callback=_bytes, **facts)


def _bytes(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else quantities.parse_bytes(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from error
