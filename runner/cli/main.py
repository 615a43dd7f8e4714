"""The program `runner`: its commands, and what happens to errors that reach the top."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import ClassVar

import click

import runner
from runner.cli import commanding, console
from runner.cli import settings as settings_module

_COMMANDS = "runner.cli.commands."


class _Runner(commanding.RootGroup):
    sections: ClassVar = {
        "Back up and restore": {
            "exec": (_COMMANDS + "exec", "Plan and run one action of a blueprint."),
            "restore-points": (_COMMANDS + "restore_points", "List, verify, restore and delete restore points."),
            "repository": (_COMMANDS + "repository", "Make, check and prune repositories, and look into them."),
            "profile": (_COMMANDS + "profile", "List locations, and find out what can be done at one."),
        },
        "Runs": {
            "runs": (_COMMANDS + "runs", "List the runs, newest first."),
            "show": (_COMMANDS + "show", "Show one run: its phases, outputs and errors."),
            "logs": (_COMMANDS + "logs", "Print the log of a run."),
            "resume": (_COMMANDS + "resume", "Go on with an interrupted or waiting run."),
            "cancel": (_COMMANDS + "cancel", "Cancel a run and undo what it did."),
            "approve": (_COMMANDS + "approve", "Approve a phase that waits for a person."),
        },
        "Write blueprints": {
            "new": (_COMMANDS + "new", "Start a blueprint of your own."),
            "validate": (_COMMANDS + "validate", "Check documents and report all problems."),
            "plan": (_COMMANDS + "plan", "Show what an action would do, in which order and why."),
            "render": (_COMMANDS + "render", "Print rendered arguments without running anything."),
            "test": (_COMMANDS + "test", "Rehearse blueprints without any server, and compare."),
            "functions": (_COMMANDS + "functions", "List the functions that phases can call."),
            "explain": (_COMMANDS + "explain", "Explain a function, an error code, a key or a filter."),
            "schema": (_COMMANDS + "schema", "Print a JSON Schema, for editors."),
        },
        "Installation": {
            "benchmark": (_COMMANDS + "benchmark", "Find out what this machine and a location can do."),
            "plugins": (_COMMANDS + "plugins", "List plugins, also those that cannot be loaded."),
            "completion": (_COMMANDS + "completion", "Print the shell completion script."),
        },
    }


@click.command(
    cls=_Runner,
    name="runner",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(runner.__version__, message="%(prog)s %(version)s", prog_name="runner", help="Show the version.")
def program() -> None:
    """Back up, export and restore applications with declarative blueprints.

    A blueprint says how one kind of application is backed up and restored. Start with:

    \b
      runner validate blueprint.yaml      find mistakes before anything is touched
      runner exec blueprint.yaml          back up, and print how to restore
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code; errors are printed, none leave this function."""
    settings = settings_module.from_environment(os.environ)
    terminal = console.Console(settings, sys.stdout, sys.stderr)
    try:
        outcome = program.main(list(arguments), prog_name="runner", obj=terminal, standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, a person is told in one form
        from runner.cli import endings

        return endings.tell(terminal, error, arguments)
