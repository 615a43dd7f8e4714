"""The command line that restores what a run has backed up, ready to be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from runner.cli import console as consoles
from runner.engine.run_state import RunState
from runner.model import load
from runner.params import locations

ACTION = "restore"


def command(console: consoles.Console, state: RunState) -> str | None:
    """Return the command without `--from`; None when the run left nothing that its blueprint can restore."""
    if state.created is None or state.committed is None or state.committed.restore_point is None:
        return None
    request: Mapping[str, Any] = state.created.request
    file = state.plan.file
    blueprint, _ = load.parse_blueprint(request["blueprintText"], file)
    if blueprint is None or ACTION not in blueprint.actions or state.plan.action == ACTION:
        return None
    return shlex.join(["runner", "exec", file, "--action", ACTION, *_options(console, request)])


def _options(console: consoles.Console, request: Mapping[str, Any]) -> list[str]:
    """Repeat what the person said on the command line and the environment does not say."""
    target = locations.from_json(request["location"])
    found = [] if target.is_default else ["--location", target.label]
    if request["object"] is not None:
        found += ["--object", "/".join(request["object"][part] for part in ("kind", "namespace", "name"))]
    if console.settings.state_dir != console.settings.usual_state_dir:
        found += ["--state-dir", str(console.settings.state_dir)]
    return found
