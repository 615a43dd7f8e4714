"""Small pieces of text that several commands share: what a phase moved, how long it took, when something was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from runner.base import clock, durations, quantities

SIGNS: Mapping[str, tuple[str, str]] = {
    "succeeded": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("✗", "yellow"),
    "skipped": ("–", "bright_black"),
    "tolerated": ("!", "yellow"),
    "not_run": ("–", "bright_black"),
    "pending": ("·", "bright_black"),
    "running": ("▸", "cyan"),
    "waiting": ("‖", "yellow"),
    "retrying": ("↻", "yellow"),
    "attempt_failed": ("↻", "yellow"),
    "in_doubt": ("?", "yellow"),
    "unwinding": ("▸", "yellow"),
    "interrupted": ("?", "yellow"),
}

# What phases count, in the order in which people want to know it.
_COUNTS: Mapping[str, Callable[[int], str]] = {
    "files": lambda number: count(number, "file"),
    "bytes": quantities.bytes_for_people,
    "bytesRead": lambda number: f"{quantities.bytes_for_people(number)} read",
    "bytesSkipped": lambda number: f"{quantities.bytes_for_people(number)} skipped" if number else "",
    "bytesNew": lambda number: f"{quantities.bytes_for_people(number)} new" if number else "nothing new",
    "bytesWritten": lambda number: f"{quantities.bytes_for_people(number)} written",
    "bytesStored": lambda number: f"{quantities.bytes_for_people(number)} stored" if number else "",
}


def facts(outputs: Mapping[str, Any]) -> str:
    """Say what a phase moved, from the outputs that count files and bytes: `1,204 files, 85.2 MiB read`."""
    counted = ((outputs.get(name), say) for name, say in _COUNTS.items())
    return ", ".join(filter(None, [say(number) for number, say in counted if type(number) is int]))


def count(number: int, noun: str) -> str:
    """Write a number with its noun: `1 file`, `1,204 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def between(started: str | None, finished: str | None) -> str:
    """Say how long something took, from RFC 3339 moments; empty when either is unknown."""
    if not started or not finished:
        return ""
    seconds = (clock.parse_isoformat(finished) - clock.parse_isoformat(started)).total_seconds()
    return durations.for_people(max(0.0, seconds))


def ago(moment: str | None, now: datetime) -> str:
    """Say how long ago something was: `just now`, `5 min ago`, `3 days ago`."""
    if not moment:
        return ""
    seconds = (now - clock.parse_isoformat(moment)).total_seconds()
    for size, word in ((86400, "day"), (3600, "hour"), (60, "min")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {word}{'s' if number > 1 and word != 'min' else ''} ago"
    return "just now"


def when(moment: str | None) -> str:
    """Write a moment for people: `2026-01-31 14:05 UTC`."""
    return f"{clock.parse_isoformat(moment):%Y-%m-%d %H:%M} UTC" if moment else ""
