"""Commands that a message tells to run next, completed with what the person said on this command line."""

from __future__ import annotations

import re
import shlex

from runner.cli import settings as settings_module

_QUOTED = re.compile(r"`(runner (?:repository|restore-points) [^`]+)`")


def command(settings: settings_module.Settings, text: str) -> str:
    """Return a command on a repository, for the location that was given."""
    if settings.location is None or "--location" in text:
        return text
    return f"{text} --location {shlex.quote(settings.location)}"


def complete(settings: settings_module.Settings, text: str) -> str:
    """Complete the commands on repositories that stand between backticks in a text."""
    return _QUOTED.sub(lambda match: f"`{command(settings, match[1])}`", text)
