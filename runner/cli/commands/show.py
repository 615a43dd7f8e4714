"""`runner show`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from runner.base import codes
from runner.cli import application, commanding, completing, failures, follow_ups, phrases, pictures, report, run_graph
from runner.cli import console as consoles
from runner.engine.result import RunResult
from runner.engine.states import RunStatus
from runner.plan import plan


@click.command("show", cls=commanding.Command)
@click.argument("run", shell_complete=completing.runs)
@click.option("--graph", is_flag=True, help="Show the phases as the graph of the plan.")
@pictures.option
@click.pass_obj
def command(console: consoles.Console, run: str, graph: bool, form: str | None) -> int:
    """Show one run: its phases, outputs and errors.

    RUN is the id of a run or the start of it; `runner runs` lists them. With --graph, phases stand in the order of the
    plan, with what each waited for; as a picture, too:

    \b
      runner show 7kq2 --graph --format svg > run.svg
    """
    made, result = application.of(console).run_with_plan(run)
    graph = graph or form in pictures.DRAWN
    pictures.show(
        console,
        form,
        data=lambda: run_graph.to_json(made, result) if graph else result.to_json(),
        text=lambda: _text(console, result, made if graph else None),
        picture=lambda: run_graph.picture(made, result),
    )
    return codes.Exit.OK


def _text(console: consoles.Console, run: RunResult, graph: plan.Plan | None) -> Iterator[str]:
    yield report.header(console, console.out, f"{run.blueprint} › {run.action}", run.id)
    sign, colour = phrases.SIGNS[run.status]
    status = console.style(f"{sign} {run.status}", fg=colour)
    took = f", took {phrases.between(run.started_at, run.finished_at)}" if run.finished_at else ""
    yield f"  {status}, started {phrases.when(run.started_at)}{took}"
    yield ""
    yield from _phases(console, run) if graph is None else run_graph.text(console, graph, run)
    for warning in run.warnings:
        yield f"  {console.style('warning:', fg='yellow')} {warning['phase']}: {warning['message']}"
    for node, error in run.failures:
        yield ""
        yield from failures.journalled(console, console.out, node, error)
    more = [*report.waits(run), *(report.going_on(run) if run.status is RunStatus.INTERRUPTED else ())]
    yield from (follow_ups.here(console.settings, line) for line in more)
    for point in run.restore_points:
        yield f"restore point {point['id']} in {point['location'] or 'the default repository'}"


def _phases(console: consoles.Console, run: RunResult) -> Iterator[str]:
    phases = report.shown(run)
    names = [(f"{phase.name}/{phase.key}" if phase.key else phase.name, phase.function) for phase in phases]
    yield from map(report.PhaseLines(console, console.out, names).of, phases)
