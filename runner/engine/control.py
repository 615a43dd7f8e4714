"""How the owner of a driver reaches into it: from a signal handler or another thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class Control:
    """Wakes a driver up and leaves it word; every method is safe in a signal handler."""

    def __init__(self) -> None:
        self.wake = threading.Event()
        self.cancel_wanted = False
        self.stop_wanted = False
        self._calls: deque[Callable[[], None]] = deque()

    def cancel(self) -> None:
        """Give the run up in order: interrupt what runs, then unwind."""
        self.cancel_wanted = True
        self.wake.set()

    def stop(self) -> None:
        """Stop driving at once and leave the run as it is, to be resumed."""
        self.stop_wanted = True
        self.wake.set()

    def tell(self, call: Callable[[], None]) -> None:
        """Have the driver's thread make a call soon."""
        self._calls.append(call)
        self.wake.set()

    def take(self) -> list[Callable[[], None]]:
        """Return the calls that are due, oldest first, and wait for new ones from here on."""
        self.wake.clear()
        taken = []
        while self._calls:
            taken.append(self._calls.popleft())
        return taken
