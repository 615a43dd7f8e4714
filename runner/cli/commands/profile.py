"""`runner profile`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from runner.base import codes, errors
from runner.base.jsonvalue import JsonObject
from runner.cli import application, commanding, phrases
from runner.cli import console as consoles
from runner.locations import limited, probe

_MARKS = {
    probe.Verdict.YES: ("✓", "green"),
    probe.Verdict.NO: ("-", "yellow"),
    probe.Verdict.FAILED: ("✗", "red"),
    probe.Verdict.UNTRIED: ("?", "yellow"),
}


@click.group("profile", cls=commanding.Group)
def command() -> None:
    """List locations, and find out what can be done at one."""


@command.command("list")
@click.pass_obj
def list_(console: consoles.Console) -> int:
    """List the locations of the configuration (`--config`)."""
    named = application.of(console).named_locations
    rows: list[JsonObject] = [
        {
            "name": name,
            "type": str(spec["type"]),
            "place": str(spec.get("path") or _place(spec)),
            "readOnly": bool(spec.get("readOnly", False)),
        }
        for name, spec in sorted(named.items())
    ]
    console.records(rows, _names)
    return codes.Exit.OK


@command.command("validate")
@click.argument("location", metavar="NAME|FILE|URL")
@click.pass_obj
def validate(console: consoles.Console, location: str) -> int:
    """Find out whether a location can be used, and what its store is good for.

    A small object is written below a fresh prefix, read, listed and removed; nothing is left. No passphrase is needed,
    and no repository.
    """
    app = application.of(console)
    target = app.target(location)
    place = app.open_location(target)
    found = [*_limits(target.spec), *probe.probe(place, read_only=bool(target.spec.get("readOnly")), clock=app.clock)]
    failed = [finding for finding in found if finding.verdict is probe.Verdict.FAILED]
    console.result(
        {"location": place.url, "usable": not failed, "checks": [_shape(finding) for finding in found]},
        lambda: _report(console, place.url, found),
    )
    if failed:
        raise errors.EnvironmentProblem(
            f"{phrases.count(len(failed), 'check')} of {place.url} failed",
            code=failed[0].code,
            details=failed[0].details,
            hint=_remedy(failed),
        )
    return codes.Exit.OK


def _limits(spec: JsonObject) -> Iterator[probe.Finding]:
    limits = limited.limits_of(spec)
    if limits is not None:
        yield probe.Finding(check="limits", verdict=probe.Verdict.YES, details=str(limits))


def _place(spec: JsonObject) -> str:
    bucket = str(spec.get("bucket") or spec.get("container") or "")
    return "/".join(filter(None, [bucket, str(spec.get("prefix") or "")]))


def _names(rows: Sequence[Any]) -> Iterator[str]:
    if not rows:
        yield "no locations are configured"
    yield from consoles.table(
        ["NAME", "TYPE", "PLACE", ""],
        [(row["name"], row["type"], row["place"], "read-only" if row["readOnly"] else "") for row in rows],
    )


def _shape(finding: probe.Finding) -> JsonObject:
    return {
        "check": finding.check,
        "verdict": str(finding.verdict),
        "details": finding.details,
        "permission": finding.permission or None,
        "code": finding.code or None,
    }


def _report(console: consoles.Console, url: str, found: Sequence[probe.Finding]) -> Iterator[str]:
    yield url
    width = max(len(finding.check) for finding in found)
    for finding in found:
        mark, colour = _MARKS[finding.verdict]
        said = f"missing permission: {finding.permission}" if finding.permission else finding.details
        line = f"  {console.style(mark, fg=colour)} {finding.check.ljust(width)}  {said}"
        yield line.rstrip()


def _remedy(failed: Sequence[probe.Finding]) -> str:
    missing = sorted({finding.permission for finding in failed if finding.permission})
    return f"give the credentials {' and '.join(missing)}" if missing else failed[0].hint
