"""Candidates for shell completion; whatever goes wrong, completion offers nothing and stays silent."""

from __future__ import annotations

import os

import click

from runner.base import ids
from runner.cli import settings


def runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the ids of runs that start with what was typed."""
    chosen = context.find_root().params.get("state_dir") or settings.from_environment(os.environ).state_dir
    directory = chosen / "runs"
    if not directory.is_dir():
        return []
    return sorted(
        path.name for path in directory.iterdir() if ids.is_id(path.name) and path.name.startswith(incomplete)
    )


def codes_and_functions(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the error codes that start with what was typed."""
    from runner import functions
    from runner.base import codes

    names = [*(spec.name for spec in functions.builtin()), *codes.CODES]
    return [name for name in names if name.lower().startswith(incomplete.lower())]
