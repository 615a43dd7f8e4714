"""Ask again and again until something has come about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import durations, errors, ids

Polled = TypeVar("Polled")

# Pauses vary by a tenth either way, so that many runs do not ask a provider in step.
_JITTER = 0.1


def poll(
    until: Callable[[], Polled | None],
    *,
    interval: timedelta,
    timeout: timedelta,
    describe: str,
    clock: clocks.Clock,
    cancel: cancels.CancelToken,
) -> Polled:
    """Call `until` with jittered pauses until it returns something else than None; it is called at least once.

    Raises:
        TimedOut: RT202; says what was waited for.
        Cancelled: When the token is cancelled.
    """
    deadline = clock.monotonic() + timeout.total_seconds()
    while True:
        cancel.raise_if_cancelled()
        found = until()
        if found is not None:
            return found
        left = deadline - clock.monotonic()
        if left <= 0:
            waited = durations.for_people(timeout.total_seconds())
            raise errors.TimedOut(f"waited {waited} for {describe}", hint="look at the other side, or wait longer")
        pause = interval.total_seconds() * (1 + _JITTER * (2 * ids.random_fraction() - 1))
        cancel.wait(min(pause, left))
