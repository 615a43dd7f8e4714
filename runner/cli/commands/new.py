"""`runner new`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.app import starting
from runner.base import codes, errors
from runner.cli import application, commanding, completing
from runner.cli import console as consoles

if TYPE_CHECKING:
    from runner.model.blueprint import Input


@click.group("new", cls=commanding.Group)
def command() -> None:
    """Start a blueprint of your own."""


@command.command("blueprint")
@click.argument("name")
@click.option("--kind", type=click.Choice(list(starting.KINDS)), help="What is backed up. [asked for on a terminal]")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where the directory NAME is made. [default: here]",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=completing.starting_inputs,
    help="Default of an input in the new blueprint; repeatable.",
)
@click.pass_obj
def blueprint(console: consoles.Console, name: str, kind: str | None, directory: Path, sets: tuple[str, ...]) -> int:
    """Start a blueprint with rehearsals and a README.

    It is valid and can run at once. Without --kind, questions are asked on the terminal. Nothing is overwritten.

    \b
      runner new blueprint notes --kind files --set directory=/srv/notes
      runner new blueprint shop --kind postgresql --set database=shop
    """
    if kind is None and not application.somebody_is_there():
        raise errors.UsageError("the kind of blueprint is missing", hint=f"say --kind {'|'.join(starting.KINDS)}")
    start = starting.of_kind(kind or _asked_kind())
    answers = () if kind else _answers(start.asked, {text.partition("=")[0] for text in sets})
    paths = starting.write(start, name, directory, [*sets, *answers])
    made = [str(path) for path in paths]
    console.result({"blueprint": name, "kind": start.kind, "files": made}, lambda: _text(made))
    return codes.Exit.OK


def _asked_kind() -> str:
    choice: str = click.prompt("What is backed up", type=click.Choice(list(starting.KINDS)), err=True)
    return choice


def _answers(asked: Sequence[Input], given: set[str]) -> Iterator[str]:
    """Ask for the defaults of inputs; an empty answer leaves an input as it is."""
    for each in asked:
        if each.name in given:
            continue
        default = each.default if each.has_default else ""
        shown = default if isinstance(default, str) else json.dumps(default)
        answer = click.prompt(f"{each.name} ({each.description})", default=shown, show_default=bool(shown), err=True)
        if answer != shown:
            yield f"{each.name}={_as_json(answer) if each.type == 'array' else answer}"


def _as_json(answer: str) -> str:
    """Read the words of a command line as a list, unless it is written as JSON already."""
    return answer if answer.lstrip().startswith("[") else json.dumps(shlex.split(answer))


def _text(made: Sequence[str]) -> Iterator[str]:
    yield from (f"made {path}" for path in made)
    yield f"  check it:  runner validate {made[0]}"
    yield f"  read it:   runner plan {made[0]}"
    yield f"  run it:    runner exec {made[0]}"
