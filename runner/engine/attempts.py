"""The attempts under way: their tokens, their time limits, and those that outlived them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from runner.base import cancel, clock
from runner.plan.plan import PlanNode

# How long an attempt may take to end after it was asked to; commands get less from their reaper, so they end in time.
GRACE = timedelta(seconds=15)


class Attempt(msgspec.Struct, kw_only=True):
    """One attempt under way; `limit` and `abandon` are on the monotonic clock."""

    node: str
    number: int
    token: cancel.CancelToken
    limit: float | None
    abandon: float | None = None


class Attempts:
    """All attempts under way, by node."""

    def __init__(self, clock: clock.Clock, grace: timedelta = GRACE) -> None:
        self._clock = clock
        self._grace = grace.total_seconds()
        self._under_way: dict[str, Attempt] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, node: PlanNode, number: int) -> Attempt:
        """Add an attempt that starts now."""
        limit = None if node.timeout is None else self._clock.monotonic() + node.timeout.total_seconds()
        attempt = Attempt(node=node.id, number=number, token=cancel.CancelToken(self._clock), limit=limit)
        self._under_way[node.id] = attempt
        return attempt

    def end(self, attempt: Attempt) -> bool:
        """Take an attempt out; tells whether it was still under way, so that a late result can be told."""
        if self._under_way.get(attempt.node) is not attempt:
            return False
        del self._under_way[attempt.node]
        return True

    def interrupt(self, node: str, reason: cancel.Reason) -> None:
        """Ask an attempt to end; it is abandoned if it has not by the end of its grace."""
        attempt = self._under_way.get(node)
        if attempt is not None and attempt.abandon is None:
            attempt.abandon = self._clock.monotonic() + self._grace
            attempt.token.cancel(reason)

    def interrupt_all(self) -> None:
        """Ask every attempt to end."""
        for node in self._under_way:
            self.interrupt(node, cancel.Reason.CANCELLED)

    def overdue(self) -> Iterator[Attempt]:
        """Interrupt what has reached its limit, and yield (and forget) what has outlived its grace."""
        now = self._clock.monotonic()
        for attempt in list(self._under_way.values()):
            if attempt.abandon is None and attempt.limit is not None and now >= attempt.limit:
                self.interrupt(attempt.node, cancel.Reason.TIMEOUT)
            elif attempt.abandon is not None and now >= attempt.abandon:
                del self._under_way[attempt.node]
                yield attempt

    def next_due(self) -> float | None:
        """Return the next moment, on the monotonic clock, at which `overdue` has something to do."""
        moments = [
            attempt.limit if attempt.abandon is None else attempt.abandon for attempt in self._under_way.values()
        ]
        return min((moment for moment in moments if moment is not None), default=None)
