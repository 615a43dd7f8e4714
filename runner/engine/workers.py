"""Threads that carry out attempts. They are daemons: an attempt that never returns must not keep the process alive."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Workers:
    """Starts a thread when all others are busy; idle ones wait for the next call.

    Args:
        on_defect: Gets what a call raised although calls must not raise: were it lost, its driver would wait for ever.
    """

    def __init__(self, on_defect: Callable[[BaseException], None]) -> None:
        self._on_defect = on_defect
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._threads = 0

    def submit(self, call: Callable[[], None]) -> None:
        """Run a call soon in some thread; it must not raise."""
        with self._lock:
            fresh = self._idle == 0
            if fresh:
                self._threads += 1
                name = f"runner-worker-{self._threads}"
            else:
                self._idle -= 1
        self._calls.put(call)
        if fresh:
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except BaseException as defect:  # noqa: BLE001 - handed over, not swallowed
                self._on_defect(defect)
            with self._lock:
                self._idle += 1

    def close(self) -> None:
        """Let idle threads end; busy ones end after their call."""
        for _ in range(self._threads):
            self._calls.put(None)
