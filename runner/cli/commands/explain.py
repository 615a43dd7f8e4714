"""`runner explain`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from runner.base import codes, errors, suggest
from runner.cli import application, commanding, completing, explanations
from runner.cli import console as consoles

_WIDEST_SUMMARY = 60


@click.command("explain", cls=commanding.Command)
@click.argument("name", shell_complete=completing.explained)
@click.pass_obj
def command(console: consoles.Console, name: str) -> int:
    """Explain a function, an error code, a key or a filter.

    \b
      runner explain BackupFiles     its arguments, outputs and effects
      runner explain KB310           what the error means and what to do
      runner explain phase.when      what a key is for, and what it takes
      runner explain regexMatch      what a filter gives, with an example
    """
    manual = explanations.Manual(application.of(console).registry.functions)
    found = manual.find(name)
    if not found:
        known = [each for each in manual.names if suggest.closest(name, [each])]
        raise errors.UsageError(
            f'"{name}" is neither a function, an error code, a key nor a filter',
            hint=suggest.hint(name, known) if known else "list the functions with `runner functions`",
        )
    if len(found) == 1:
        console.result(found[0].data, lambda: found[0].text(console))
    else:
        candidates = [{"name": each.name, "kind": each.kind, "summary": each.summary} for each in found]
        console.result({"candidates": candidates}, lambda: _candidates(console, name, found))
    return codes.Exit.OK


def _candidates(console: consoles.Console, name: str, found: Sequence[explanations.Explanation]) -> Iterator[str]:
    yield f'"{name}" can mean:'
    rows = [(f"  {each.name}", each.kind, _short(each.summary)) for each in found]
    yield from consoles.table(["  NAME", "KIND", "IS"], rows)
    yield f"say which one: runner explain {found[0].name}"


def _short(summary: str) -> str:
    return summary if len(summary) <= _WIDEST_SUMMARY else summary[: _WIDEST_SUMMARY - 1].rstrip() + "…"
