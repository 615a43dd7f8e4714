"""`runner logs`."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import click

from runner.base import clock, codes, errors, suggest
from runner.cli import application, commanding, completing, loglines
from runner.cli import console as consoles
from runner.engine.runs import RunDirectory

_EVERY_S = 0.3


@click.command("logs", cls=commanding.Command)
@click.argument("run", shell_complete=completing.runs)
@click.argument("phase", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run is no longer driven.")
@click.pass_obj
def command(console: consoles.Console, run: str, phase: str | None, follow: bool) -> int:
    """Print the log of a run.

    With a PHASE, only its lines. Lines of level debug are shown with -vv. With -o json the lines come as they are
    in the file.
    """
    directory = application.of(console).runs.find(run)
    _check_phase(directory, phase)
    tail = loglines.Tail(directory.log)
    never = threading.Event()
    while True:
        # Asked before reading: what is written after the last look but before the driver leaves is still printed.
        goes_on = follow and directory.is_driven
        _print(console, tail, phase)
        if not goes_on or console.out.closed:
            return codes.Exit.OK
        clock.SystemClock().wait(never, _EVERY_S)


def _check_phase(directory: RunDirectory, phase: str | None) -> None:
    if phase is None:
        return
    names = list(directory.state().nodes)
    if phase not in names:
        raise errors.UsageError(f'the run {directory.id} has no phase "{phase}"', hint=suggest.hint(phase, names))


def _is_of(line: Mapping[str, Any], phase: str | None) -> bool:
    """Tell whether a line is of a phase, or of an instance of it."""
    return phase is None or line.get("phase") == phase or str(line.get("phase", "")).startswith(f"{phase}/")


def _print(console: consoles.Console, tail: loglines.Tail, phase: str | None) -> None:
    for line in tail.new():
        if console.out.closed:
            return
        if not _is_of(line, phase) or not loglines.is_shown(line, verbose=console.settings.verbose):
            continue
        console.out.line(loglines.text(line) if console.is_text else json.dumps(line, ensure_ascii=False))
