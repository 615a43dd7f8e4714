"""`runner show`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from runner.base import codes
from runner.cli import application, commanding, completing, failures, phrases, report
from runner.cli import console as consoles
from runner.engine.result import RunResult
from runner.engine.states import RunStatus


@click.command("show", cls=commanding.Command)
@click.argument("run", shell_complete=completing.runs)
@click.pass_obj
def command(console: consoles.Console, run: str) -> int:
    """Show one run: its phases, outputs and errors.

    RUN is the id of a run or the start of it; `runner runs` lists them.
    """
    result = application.of(console).run_result(run)
    console.result(result.to_json(), lambda: _text(console, result))
    return codes.Exit.OK


def _text(console: consoles.Console, run: RunResult) -> Iterator[str]:
    yield report.header(console, console.out, f"{run.blueprint} › {run.action}", run.id)
    sign, colour = phrases.SIGNS[run.status]
    status = console.style(f"{sign} {run.status}", fg=colour)
    took = f", took {phrases.between(run.started_at, run.finished_at)}" if run.finished_at else ""
    yield f"  {status}, started {phrases.when(run.started_at)}{took}"
    yield ""
    phases = report.shown(run)
    names = [(f"{phase.name}/{phase.key}" if phase.key else phase.name, phase.function) for phase in phases]
    yield from map(report.PhaseLines(console, console.out, names).of, phases)
    for warning in run.warnings:
        yield f"  {console.style('warning:', fg='yellow')} {warning['phase']}: {warning['message']}"
    for node, error in run.failures:
        yield ""
        yield from failures.journalled(console, console.out, node, error)
    yield from report.waits(run)
    if run.status is RunStatus.INTERRUPTED:
        yield from report.going_on(run)
    for point in run.restore_points:
        yield f"restore point {point['id']} in {point['location'] or 'the default repository'}"
