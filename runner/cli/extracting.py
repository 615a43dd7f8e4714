"""`runner restore-points restore` without the blueprint: check what was asked for, do it, and say what was restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.app import application as applications
from runner.app import extracting
from runner.base import cancel, errors, quantities
from runner.cli import console as consoles
from runner.cli import phrases, working
from runner.model.restore_point import RestorePoint
from runner.repository import repository as repositories

_OF_RUNS = {"action": "--action", "sets": "--set", "set_files": "--set-file", "input_files": "--inputs"}


def refuse_run_options(order: Mapping[str, Any], run_id: str | None) -> None:
    """Refuse options that only mean something to the blueprint's own restore.

    Raises:
        UsageError: RT101.
    """
    given = [option for name, option in _OF_RUNS.items() if order[name]] + (["--run-id"] if run_id else [])
    if given:
        raise errors.UsageError(
            f"{given[0]} is for restoring with the blueprint, --include and --to are for restoring without it",
            hint=f"leave out {given[0]}, or --include and --to",
        )


def extract(
    console: consoles.Console,
    app: applications.Application,
    repository: repositories.Repository,
    point: RestorePoint,
    *,
    include: Sequence[str],
    to: str | None,
    overwrite: bool,
    dry_run: bool,
) -> None:
    """Take a restore point, or what patterns match of it, out of the repository, and print what was taken."""
    target = Path(to or f"restored-{point.id[:8]}").absolute()
    selection = extracting.select(repository, point, include)
    if not dry_run:
        with working.watched(console, app.clock, f"restoring {point.id[:8]}") as report:
            warnings = extracting.extract(
                repository, selection, target, overwrite=overwrite, cancel=cancel.CancelToken(), report=report
            )
        for warning in warnings:
            console.warn(warning)
    console.result(
        {
            "restorePoint": point.id,
            "target": str(target),
            "dryRun": dry_run,
            "bytes": selection.bytes,
            "parts": [part.to_json() for part in selection.parts],
        },
        lambda: _lines(selection, target, dry_run=dry_run),
    )


def _lines(selection: extracting.Selection, target: Path, *, dry_run: bool) -> Iterator[str]:
    width = max((len(part.export.name) for part in selection.parts), default=0)
    sign = "·" if dry_run else "✓"
    for part in selection.parts:
        counted = [] if part.files is None else [phrases.count(part.files, "file")]
        size = ", ".join([*counted, quantities.bytes_for_people(part.bytes)])
        yield f"  {sign} {part.export.name.ljust(width)}  {part.export.kind:6}  {size}"
    yield f"{'would restore' if dry_run else 'restored'} to {target}"
