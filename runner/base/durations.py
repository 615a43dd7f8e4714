"""Durations as text: Go's form (`1h30m`, `250ms`), as Kubernetes and Kanister write them."""

from __future__ import annotations

from datetime import timedelta

import durationpy

# Far more than anybody waits for, and little enough to be added to any moment.
LONGEST = timedelta(days=36_525)


def parse(text: str) -> timedelta:
    """Read a Go duration.

    Raises:
        ValueError: If the text is not one, is negative, or is longer than 100 years.
    """
    try:
        parsed: timedelta = durationpy.from_str(text)
    except Exception as error:  # durationpy raises its own class, and others on odd input
        raise ValueError(f'"{text}" is not a duration such as 30s, 5m or 1h30m') from error
    if parsed < timedelta(0):
        raise ValueError(f'the duration "{text}" is negative')
    if parsed > LONGEST:
        raise ValueError(f'the duration "{text}" is longer than 100 years')
    return parsed


def text(duration: timedelta) -> str:
    """Write a duration in Go's form, exactly."""
    written: str = durationpy.to_str(duration)
    return written


def for_people(seconds: float) -> str:
    """Write elapsed seconds the way a person says them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
