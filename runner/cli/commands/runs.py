"""`runner runs`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import click

from runner.base import clock, codes
from runner.base.jsonvalue import JsonObject
from runner.cli import application, commanding, phrases
from runner.cli import console as consoles
from runner.engine.result import RunResult

_STATES = ("running", "waiting", "unwinding", "succeeded", "failed", "cancelled", "interrupted")


@click.command("runs", cls=commanding.Command)
@click.option("--status", type=click.Choice(_STATES), help="List only runs in this state.")
@click.option("--limit", type=click.IntRange(min=1), help="List at most so many.")
@click.pass_obj
def command(console: consoles.Console, status: str | None, limit: int | None) -> int:
    """List the runs, newest first."""
    found = (run for run in application.of(console).run_results() if status in (None, run.status))
    rows = (_row(run) for run in itertools.islice(found, limit))
    console.records(rows, lambda rows: _text(console, rows))
    return codes.Exit.OK


def _row(run: RunResult) -> JsonObject:
    return {
        "id": run.id,
        "blueprint": run.blueprint,
        "action": run.action,
        "status": run.status.value,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "restorePoints": [point["id"] for point in run.restore_points],
        "error": run.error.code if run.error else None,
    }


def _text(console: consoles.Console, rows: Sequence[Any]) -> Iterator[str]:
    if not rows:
        console.note("there are no runs")
    now = clock.SystemClock().now()
    yield from consoles.table(
        ["RUN", "BLUEPRINT", "ACTION", "STATUS", "STARTED", "TOOK"],
        [
            (
                row["id"],
                row["blueprint"],
                row["action"],
                f"{phrases.SIGNS[row['status']][0]} {row['status']}",
                phrases.ago(row["startedAt"], now),
                phrases.between(row["startedAt"], row["finishedAt"]),
            )
            for row in rows
        ],
    )
