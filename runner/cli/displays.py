"""Where finished lines and progress go: bars at the bottom of a terminal, or plain lines; with rate and time left."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from runner.base import clock as clocks
from runner.base import quantities
from runner.base.jsonvalue import JsonValue
from runner.cli import console as consoles
from runner.cli import pace
from runner.cli import settings as settings_module

if TYPE_CHECKING:
    from rich import progress as rich_progress

    from runner.engine.progress import Progress

_EVERY = timedelta(seconds=10)


class Display(Protocol):
    """Where finished lines and progress go."""

    def line(self, text: str) -> None:
        """Show a line for good."""

    def started(self, node: str) -> None:
        """Show that a node is under way."""

    def progress(self, progress: Progress) -> None:
        """Show how far a node is."""

    def ended(self, node: str) -> None:
        """Forget the progress of a node."""


class Plain:
    """Plain lines for logs and pipes; how far long work is every ten seconds."""

    def __init__(self, console: consoles.Console, clock: clocks.Clock) -> None:
        self._console = console
        self._clock = clock
        self._last: dict[str, float] = {}
        self._paces = pace.Paces(clock)

    def line(self, text: str) -> None:
        """Write the line."""
        self._console.err.line(text)

    def started(self, node: str) -> None:
        """Say nothing: a short phase has one line, at its end."""

    def progress(self, progress: Progress) -> None:
        """Write a line if the last one of this node is long ago."""
        now = self._clock.monotonic()
        speed = self._paces.of(progress)
        if now - self._last.setdefault(progress.node, now) >= _EVERY.total_seconds():
            self._last[progress.node] = now
            self._console.err.line(f"    {progress.node}: {', '.join(filter(None, [amount(progress), str(speed)]))}")

    def ended(self, node: str) -> None:
        """Forget when the last line was."""
        self._last.pop(node, None)
        self._paces.forget(node)


class Live:
    """Bars for the running phases at the bottom of the terminal, finished lines above them."""

    def __init__(self, bars: rich_progress.Progress, clock: clocks.Clock) -> None:
        self._bars = bars
        self._paces = pace.Paces(clock)
        self._tasks: dict[str, rich_progress.TaskID] = {}
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Print the line above the bars."""
        from rich import text as rich_text

        self._bars.console.print(rich_text.Text.from_ansi(text), soft_wrap=True)

    def started(self, node: str) -> None:
        """Show a bar that only moves."""
        with self._lock:
            if node not in self._tasks:
                self._tasks[node] = self._bars.add_task(node, total=None, amount="", speed="")

    def progress(self, progress: Progress) -> None:
        """Move the bar of the node; a report that comes after its end counts no more."""
        with self._lock:
            task = self._tasks.get(progress.node)
            if task is not None:
                done, total, speed = progress.completed, progress.total, self._paces.of(progress)
                self._bars.update(task, completed=done, total=total, amount=amount(progress), speed=str(speed))

    def ended(self, node: str) -> None:
        """Remove the bar of the node."""
        with self._lock:
            task = self._tasks.pop(node, None)
            self._paces.forget(node)
            if task is not None:
                self._bars.remove_task(task)


@contextlib.contextmanager
def opened(console: consoles.Console, clock: clocks.Clock) -> Iterator[Display]:
    """Open the display that the options and the terminal ask for; it closes with the context.

    A terminal has room for one live display: what is opened beside it is shown in it.
    """
    if console.settings.progress is not settings_module.Progress.AUTO or not console.err.is_terminal:
        yield Plain(console, clock)
        return
    if console.display is not None:
        yield console.display
        return
    with _live(console, clock) as console.display:
        try:
            yield console.display
        finally:
            console.display = None


@contextlib.contextmanager
def _live(console: consoles.Console, clock: clocks.Clock) -> Iterator[Live]:
    from rich import console as rich_console
    from rich import progress as rich_progress

    bars = rich_progress.Progress(
        rich_progress.TextColumn(" "),
        rich_progress.SpinnerColumn(),
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(bar_width=24),
        rich_progress.TextColumn("{task.fields[amount]}"),
        rich_progress.TextColumn("[bright_black]{task.fields[speed]}"),
        rich_progress.TimeElapsedColumn(),
        console=rich_console.Console(stderr=True, no_color=not console.colour(console.err), highlight=False),
        transient=True,
    )
    live = Live(bars, clock)
    with bars, console.err.through(live.line):
        yield live


def amount(progress: Progress) -> str:
    """Say how far something is: `12.0 MiB of 85.2 MiB`, `1,204 files`."""
    if progress.unit == "bytes":
        done, total = quantities.bytes_for_people(progress.completed), progress.total
        text = done if total is None else f"{done} of {quantities.bytes_for_people(total)}"
    else:
        done = f"{progress.completed:,}"
        text = (done if progress.total is None else f"{done} of {progress.total:,}") + f" {progress.unit}"
    return f"{text} {progress.description}".strip()


def to_json(progress: Progress) -> dict[str, JsonValue]:
    """Return the object of `--progress json`."""
    return {
        "type": "progress",
        "node": progress.node,
        "completed": progress.completed,
        "total": progress.total,
        "unit": progress.unit,
        "description": progress.description,
    }
