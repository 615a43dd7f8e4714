"""Commands that a message tells to run next, completed with what the person said on this command line."""

from __future__ import annotations

import re
import shlex

from runner.cli import settings as settings_module

_HERE = re.compile(r"\brunner (?=(?:runs|show|logs|resume|cancel|approve|repository|restore-points) )")
_QUOTED = re.compile(r"`(runner (?:repository|restore-points) [^`]+)`")


def command(settings: settings_module.Settings, text: str) -> str:
    """Return a command on a repository, for the location and the state directory that were given."""
    if settings.location is not None and "--location" not in text:
        text = f"{text} --location {shlex.quote(settings.location)}"
    return here(settings, text)


def complete(settings: settings_module.Settings, text: str) -> str:
    """Complete commands on repositories between backticks in a text, and commands on runs anywhere in it."""
    return here(settings, _QUOTED.sub(lambda match: f"`{command(settings, match[1])}`", text))


def here(settings: settings_module.Settings, text: str) -> str:
    """Complete the commands on what is in the state directory, if another one than the usual was given."""
    if settings.state_dir == settings.usual_state_dir or "--state-dir" in text:
        return text
    return _HERE.sub(lambda _: f"runner --state-dir {shlex.quote(str(settings.state_dir))} ", text)
