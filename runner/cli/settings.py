"""What the global options say, and where the runner keeps its state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

PROGRAM = "blueprint-runner"


class Output(StrEnum):
    """Form of the results on standard output."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class Progress(StrEnum):
    """Form of the progress on standard error."""

    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


class Settings:
    """The global options of one invocation, and its location; filled in while the command line is parsed.

    Written out: to import what makes structs takes as long as everything else that `--help` needs of the runner.
    """

    def __init__(self, *, state_dir: Path, config: Path | None) -> None:
        self.state_dir = self.usual_state_dir = state_dir
        self.config = config
        self.output = Output.TEXT
        self.progress = Progress.AUTO
        self.verbose = 0
        self.quiet = False
        self.no_color = False
        self.location: str | None = None


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings of a command line without options.

    The state directory is `RUNNER_STATE_DIR`, else `$XDG_STATE_HOME/blueprint-runner`; the configuration is
    `RUNNER_CONFIG`, else `$XDG_CONFIG_HOME/blueprint-runner/config.yaml` where that file is to be seen.
    """
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    state_home = Path(environment.get("XDG_STATE_HOME") or home / ".local/state")
    config_home = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    usual_config = config_home / PROGRAM / "config.yaml"
    config = environment.get("RUNNER_CONFIG")
    return Settings(
        state_dir=Path(environment.get("RUNNER_STATE_DIR") or state_home / PROGRAM),
        config=Path(config) if config else (usual_config if os.path.isfile(usual_config) else None),
    )
