"""How fast work goes on, and when it will be done."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from runner.base import clock as clocks
from runner.base import durations, quantities

if TYPE_CHECKING:
    from runner.engine.progress import Progress

# The rate is that of this long ago until now: long enough to be steady, short enough to follow a change.
_WINDOW_S = 30.0
_STEP_S = 0.5
# Nothing is said of a rate that was measured for a shorter time.
_LEAST_S = 2.0


class Speed(msgspec.Struct, frozen=True):
    """A rate and the time left; None when nobody knows.

    Attributes:
        per_second: In the unit of the work.
        left_s: Seconds until it is done, if it goes on like this.
    """

    unit: str
    per_second: float | None
    left_s: float | None

    def __str__(self) -> str:
        if not self.per_second:
            return ""
        amount = (
            quantities.bytes_for_people(round(self.per_second))
            if self.unit == "bytes"
            else f"{round(self.per_second):,} {self.unit}"
        )
        return f"{amount}/s{self._left()}"

    def _left(self) -> str:
        if self.left_s is None or self.left_s < 1:
            return ""
        whole = round(self.left_s)
        return f", {f'{whole} s' if whole < 60 else durations.for_people(whole)} left"


class Pace:
    """The rate of one piece of work, from what it reports."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def report(self, now: float, completed: int) -> float | None:
        """Take a report; return how much is done each second, None while it cannot be told.

        Args:
            now: Monotonic seconds.
            completed: How much is done by now.
        """
        if self._samples and completed < self._samples[-1][1]:
            self._samples.clear()  # it began again
        while len(self._samples) > 1 and now - self._samples[1][0] >= _WINDOW_S:
            self._samples.popleft()
        if not self._samples or now - self._samples[-1][0] >= _STEP_S:
            self._samples.append((now, completed))
        since, before = self._samples[0]
        return (completed - before) / (now - since) if now - since >= _LEAST_S else None


class Paces:
    """The rates of several pieces of work that go on at once; safe from several threads."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock
        self._paces: dict[str, Pace] = {}
        self._lock = threading.Lock()

    def of(self, progress: Progress) -> Speed:
        """Take a report, and tell how fast the work goes on."""
        with self._lock:
            rate = self._paces.setdefault(progress.node, Pace()).report(self._clock.monotonic(), progress.completed)
        left = None
        if rate and progress.total is not None:
            left = max(0, progress.total - progress.completed) / rate
        return Speed(progress.unit, rate, left)

    def forget(self, node: str) -> None:
        """Forget a piece of work that has ended."""
        self._paces.pop(node, None)
