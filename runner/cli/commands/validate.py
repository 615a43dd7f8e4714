"""`runner validate`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from runner.app import validate
from runner.base import codes, diagnostic
from runner.cli import application, commanding, phrases
from runner.cli import console as consoles

# With more findings than this, the summary counts them by code.
_MANY = 10


@click.command("validate", cls=commanding.Command)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    help="Form of the findings; github writes annotations for its checks. [default: as -o]",
)
@click.option("--strict", is_flag=True, help="Fail on warnings as well.")
@click.pass_obj
def command(console: consoles.Console, paths: tuple[Path, ...], form: str | None, *, strict: bool) -> int:
    """Check documents and report all problems.

    Directories are searched for *.yaml and *.yml files, hidden directories in them are not. Nothing is contacted and
    nothing is run.
    """
    files = validate.files(paths)
    found = validate.check(application.of(console).registry, files)
    fails = bool(found) if strict else diagnostic.has_errors(found)
    form = form or console.settings.output.value
    _print(console, form, found)
    title, *details = _summary(len(files), found, fails=fails)
    if form == "github":
        console.out.line(f"::{'error' if fails else 'notice'} title=runner validate::{title}")
    for line in (title, *details):
        console.note(line)
    return codes.Exit.INVALID if fails else codes.Exit.OK


def _summary(files: int, found: Sequence[diagnostic.Diagnostic], *, fails: bool) -> Iterator[str]:
    """Say what was checked and how much was found; of many findings also which."""
    severities = Counter(finding.severity for finding in found)
    bad = len({finding.span.file for finding in found if finding.severity is diagnostic.Severity.ERROR})
    counts = ", ".join(phrases.count(severities[each], each.value) for each in diagnostic.Severity if severities[each])
    counted = phrases.count(files, "document")
    if not fails:
        yield f"{counted} valid" + (f", {counts}" if counts else "")
    else:
        yield f"{counted} checked" + (f", {bad} with errors" if bad and files > 1 else "") + f": {counts}"
    by_code = Counter(finding.code for finding in found) if len(found) > _MANY else Counter()
    for code, number in sorted(by_code.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {number:5} × {code}  {codes.CODES[code].title}"


def _print(console: consoles.Console, form: str, found: Sequence[diagnostic.Diagnostic]) -> None:
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
