"""Cooperative cancellation: one token per attempt, which every long call looks at."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from enum import StrEnum

from runner.base import clock as clocks
from runner.base import errors


class Reason(StrEnum):
    """Why work is to be given up."""

    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"


class CancelToken:
    """Says whether, and why, the work at hand is to be given up; safe to use from any thread."""

    def __init__(self, clock: clocks.Clock | None = None) -> None:
        self._clock = clock or clocks.SystemClock()
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reason: Reason | None = None
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._next_key = 0

    @property
    def reason(self) -> Reason | None:
        """Why the work is to be given up, or None while it may go on."""
        return self._reason

    def cancel(self, reason: Reason = Reason.CANCELLED) -> None:
        """Ask for the work to be given up; the first reason stays."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            self._event.set()
            callbacks = list(self._callbacks.values())
        for callback in callbacks:
            callback()

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled`, or `TimedOut` when a time limit was the reason."""
        if self._reason is None:
            return
        if self._reason is Reason.CANCELLED:
            raise errors.Cancelled("cancelled")
        raise errors.TimedOut(
            "the time limit of the action was reached"
            if self._reason is Reason.DEADLINE
            else "the time limit of the attempt was reached"
        )

    def wait(self, timeout: float) -> None:
        """Sleep for `timeout` seconds; raises as `raise_if_cancelled` as soon as the token is cancelled."""
        self._clock.wait(self._event, timeout)
        self.raise_if_cancelled()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once when the token is cancelled (at once if it already is).

        Returns:
            A function that takes the callback back.
        """
        with self._lock:
            if self._reason is None:
                key = self._next_key
                self._next_key += 1
                self._callbacks[key] = callback
                return lambda: self._forget(key)
        callback()
        return lambda: None

    def _forget(self, key: int) -> None:
        with self._lock:
            self._callbacks.pop(key, None)


def linked(cancel: CancelToken) -> tuple[CancelToken, Callable[[], None]]:
    """Return a token that is cancelled with another one, for a part of its work, and what ends that."""
    part = CancelToken()
    return part, cancel.on_cancel(lambda: part.cancel(cancel.reason or Reason.CANCELLED))


@contextlib.contextmanager
def within(cancel: CancelToken) -> Iterator[CancelToken]:
    """Yield a token for a part of the work, which is given up with all of it, and when the context is left."""
    part, forget = linked(cancel)
    try:
        yield part
    finally:
        forget()
        part.cancel()
