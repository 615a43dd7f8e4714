"""The application that a command works with, made from the global options."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.base import clock as clocks
from runner.base import errors
from runner.cli import console as consoles
from runner.cli import working

if TYPE_CHECKING:
    from runner.app import application as applications


def of(
    console: consoles.Console, *, passphrase_file: Path | None = None, confirm: bool = False
) -> applications.Application:
    """Return the application for the global options of this invocation.

    Args:
        console: Holds the global options.
        passphrase_file: `--passphrase-file`.
        confirm: Whether a passphrase that is typed is new and has to be typed twice.
    """
    from runner.app import application as applications

    clock = clocks.SystemClock()
    return applications.Application(
        state_dir=console.settings.state_dir.absolute(),
        config=console.settings.config,
        environment=os.environ,
        passphrase_file=passphrase_file,
        prompt=functools.partial(_prompt, confirm=confirm) if somebody_is_there() else None,
        note=console.note,
        watch=lambda name, unit: working.watched(console, clock, name, unit=unit),
        clock=clock,
    )


def new_passphrase(file: Path | None) -> str:
    """Return the new passphrase of a repository, from a file or from the person at the terminal.

    Raises:
        EnvironmentProblem: RT413 if there is neither.
    """
    from runner.params import passphrases

    if file is not None:
        return passphrases.read(file)
    if somebody_is_there():
        return _prompt("New passphrase", confirm=True)
    raise errors.EnvironmentProblem(
        "no new passphrase was given", code="RT413", hint="give the file that holds it with --new-passphrase-file"
    )


def somebody_is_there() -> bool:
    """Tell whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _prompt(question: str, *, confirm: bool) -> str:
    answer: str = click.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer
