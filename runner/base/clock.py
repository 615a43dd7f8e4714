"""The only place that asks the machine for the time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time for people, monotonic time for durations, and waiting."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC; it may jump backwards."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary origin; it never goes backwards within a process."""

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        """Wait until `event` is set or `timeout` seconds have passed; tell whether it is set."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the wall time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary origin."""
        return time.monotonic()

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        """Wait for the event."""
        return event.wait(timeout)


class FakeClock:
    """Time that advances only when told to, or when somebody waits (tests, rehearsals)."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._elapsed = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the fake wall time."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Return the fake elapsed seconds."""
        with self._lock:
            return self._elapsed

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        """Advance by the timeout at once unless the event is set; without a timeout, wait for real."""
        if timeout is None:
            return event.wait()
        if not event.is_set():
            self.advance(timeout)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._elapsed += seconds

    def set_wall(self, now: datetime) -> None:
        """Move the wall time alone, also backwards, as an administrator or NTP may."""
        with self._lock:
            self._now = now


def isoformat(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with microseconds and a `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_isoformat(text: str) -> datetime:
    """Read what `isoformat` wrote."""
    return datetime.fromisoformat(text)
