"""`runner validate`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from runner.app import validate
from runner.base import codes, diagnostic
from runner.cli import application, commanding, phrases
from runner.cli import console as consoles


@click.command("validate", cls=commanding.Command)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    help="Form of the findings; github writes annotations for its checks. [default: as -o]",
)
@click.pass_obj
def command(console: consoles.Console, paths: tuple[Path, ...], form: str | None) -> int:
    """Check documents and report all problems.

    Directories are searched for *.yaml and *.yml files. Nothing is contacted and nothing is run.
    """
    files = validate.files(paths)
    found = validate.check(application.of(console).registry, files)
    _print(console, form or console.settings.output.value, found)
    bad = {finding.span.file for finding in found if finding.severity is diagnostic.Severity.ERROR}
    counted = phrases.count(len(files), "document")
    console.note(f"{counted} checked, {len(bad)} with errors" if bad else f"{counted} valid")
    return codes.Exit.INVALID if bad else codes.Exit.OK


def _print(console: consoles.Console, form: str, found: Iterable[diagnostic.Diagnostic]) -> None:
    from runner.document import render

    if form == "github":
        console.out.write(render.github(found))
    elif form == "text":
        console.out.write(render.text(found, colour=console.colour(console.out)))
    elif form == "yaml":
        console.result(list(render.to_json(found)), lambda: ())
    else:
        for finding in render.to_json(found):
            console.out.line(json.dumps(finding, ensure_ascii=False))
