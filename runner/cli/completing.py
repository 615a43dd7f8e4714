"""Candidates for shell completion; whatever goes wrong, completion offers nothing and stays silent."""

from __future__ import annotations

import os
from pathlib import Path

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


def actions(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the actions of the blueprint on the command line that start with what was typed."""
    return [name for name in _blueprint(context) if name.startswith(incomplete)]


def phases(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the phases of the blueprint on the command line that start with what was typed."""
    found = _blueprint(context)
    chosen = [found[name] for name in found if context.params.get("action") in (None, name)]
    names = dict.fromkeys(phase for action in chosen for phase in action)
    return [name for name in names if name.startswith(incomplete)]


def _blueprint(context: click.Context) -> dict[str, list[str]]:
    """Return the names of actions and their phases; nothing where the blueprint cannot be read."""
    from runner.base import errors
    from runner.document import yamlread
    from runner.model import load

    # A line that ends with an option still lacks its value, and click leaves the arguments before it unread.
    path = context.params.get("blueprint") or next(iter(context.args), None)
    try:
        text = None if path is None else yamlread.read_file(Path(path))[0]
    except errors.RunnerError:
        return {}
    draft = None if text is None else load.parse_draft(text, str(path))
    actions = {} if draft is None else draft.blueprint.actions
    return {name: [phase.name for phase in action.phases] for name, action in actions.items()}


def starting_inputs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the inputs that a new blueprint of the chosen kind can be given, each ready for its value."""
    from runner.app import starting

    kinds = [kind for kind in starting.KINDS if context.params.get("kind") in (None, kind)]
    names = dict.fromkeys(name for kind in kinds for name in starting.of_kind(kind).inputs)
    return [f"{name}=" for name in names if name.startswith(incomplete)]


def explained(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of functions, error codes, keys and filters that start with what was typed."""
    from runner import functions
    from runner.cli import explanations

    manual = explanations.Manual({spec.name: spec for spec in functions.builtin()})
    return [name for name in manual.names if name.lower().startswith(incomplete.lower())]
