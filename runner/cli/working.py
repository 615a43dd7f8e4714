"""Progress of a command that is no run: one live line on a terminal, otherwise a line now and then."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator

from runner.base import clock as clocks
from runner.cli import console as consoles
from runner.cli import displays
from runner.cli import settings as settings_module
from runner.engine.progress import Progress

_EVERY_S = 0.25

# Called with how much is done, and how much there is in all, if that is known; from any thread.
Report = Callable[[int, int | None], None]
# The same for work in several stages: the name of the stage, and what it counts, come first.
StageReport = Callable[[str, str, int, int], None]


@contextlib.contextmanager
def watched(console: consoles.Console, clock: clocks.Clock, name: str, *, unit: str = "bytes") -> Iterator[Report]:
    """Show how far a piece of work is while the context is open.

    Within it, SIGTERM ends the work as Ctrl-C does, so that it can clean up.

    Args:
        console: Where it is shown.
        clock: The time.
        name: What is shown in front: the work, or what it works on.
        unit: What is counted.
    """
    with terminable(), _display(console, clock) as show, contextlib.ExitStack() as stack:
        if show is None:
            yield _unseen
            return
        show.started(name)
        stack.callback(show.ended, name)
        yield lambda done, total: show.progress(
            Progress(node=name, completed=done, total=total, unit=unit, description="")
        )


@contextlib.contextmanager
def in_stages(console: consoles.Console, clock: clocks.Clock) -> Iterator[StageReport]:
    """Do what `watched` does for work in several stages, one after the other."""
    with terminable(), contextlib.ExitStack() as stack:
        shown: dict[str, Report] = {}

        def report(stage: str, unit: str, done: int, total: int) -> None:
            if stage not in shown:
                stack.close()
                shown[stage] = stack.enter_context(watched(console, clock, stage, unit=unit))
            shown[stage](done, total)

        yield report


@contextlib.contextmanager
def _display(console: consoles.Console, clock: clocks.Clock) -> Iterator[displays.Display | None]:
    form = console.settings.progress
    if console.settings.quiet or form is settings_module.Progress.NONE:
        yield None
    elif form is settings_module.Progress.JSON:
        yield _JsonLines(console, clock)
    else:
        with displays.opened(console, clock) as display:
            yield display


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does while the context is open."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _JsonLines:
    """Progress as one JSON object a line, a few times a second at most."""

    def __init__(self, console: consoles.Console, clock: clocks.Clock) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._last = -_EVERY_S

    def line(self, text: str) -> None:
        """Show a line for good."""
        self._console.note(text)

    def started(self, node: str) -> None:
        """Say nothing: the first report says it."""

    def progress(self, progress: Progress) -> None:
        """Write the progress."""
        now = self._clock.monotonic()
        with self._lock:
            if now - self._last < _EVERY_S and progress.completed != progress.total:
                return
            self._last = now
            self._console.err.line(json.dumps(displays.to_json(progress), ensure_ascii=False))

    def ended(self, node: str) -> None:
        """Say nothing: the result says it."""


def _unseen(done: int, total: int | None) -> None:
    """Take a report that nobody looks at."""
