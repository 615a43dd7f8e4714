"""What a person or a program sees while a run goes on: phases as they end, and how far the running ones are."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Iterator

from runner.base import clock as clocks
from runner.base import durations
from runner.base.jsonvalue import JsonValue
from runner.cli import console as consoles
from runner.cli import displays, follow_ups, loglines, phrases, report
from runner.cli import settings as settings_module
from runner.engine import events, host, records
from runner.engine.progress import Progress
from runner.engine.run_state import RunState
from runner.engine.runs import RunDirectory
from runner.plan.plan import Plan, PlanNode

# How many lines of the log are shown at a time: they are written by the thread that drives the run, and that has to
# look at requests to cancel in between.
_LOG_LINES = 500


@contextlib.contextmanager
def watch(
    console: consoles.Console, directory: RunDirectory, plan: Plan, clock: clocks.Clock
) -> Iterator[host.Observer]:
    """Open the display that the options and the terminal ask for; it closes with the context."""
    form = console.settings.progress
    if console.settings.quiet or form is settings_module.Progress.NONE:
        yield Warnings(console)
        return
    if form is settings_module.Progress.JSON:
        yield JsonLines(console)
        return
    with contextlib.ExitStack() as stack:
        display = stack.enter_context(displays.opened(console, clock))
        phases = Phases(console, display, directory, plan)
        try:
            yield phases
        finally:
            phases.close()


class Phases:
    """Tells of a run in lines: one when a phase ends, waits or is tried again, and its warnings."""

    def __init__(
        self, console: consoles.Console, display: displays.Display, directory: RunDirectory, plan: Plan
    ) -> None:
        self._console = console
        self._display = display
        self._tail = loglines.Tail(directory.log)
        self._lines = report.PhaseLines(console, console.err, [(node.name, node.function) for node in plan.nodes])
        self._run = directory.id
        self._header = report.header(console, console.err, f"{plan.blueprint} › {plan.action}", directory.id)
        self._lock = threading.Lock()

    def on_event(self, record: events.Record, state: RunState) -> None:
        """Show what the event means."""
        self._log()
        match record.event:
            case events.Attached():
                self._display.line(self._header)
            case events.Queued(message=message, hint=hint):
                self._display.line(f"  {self._sign('waiting')} {message}; waiting for it to end")
                self._display.line(f"    {hint}")
            case events.Started():
                self._display.started(record.event.node)
            case events.InDoubt() if state.nodes[record.event.node].finished_at:
                pass  # its end was decided in the same turn, and has a line of its own
            case (
                events.Succeeded()
                | events.Skipped()
                | events.Refused()
                | events.Failed()
                | events.NodeCancelled()
                | events.Gated()
                | events.InDoubt()
            ):
                self._ended(state.by_id[record.event.node], state)
            case events.Tolerated(node=node):
                self._ended(state.by_id[node], state)
                self._warning(node, tolerated(node, state))
            case events.Expanded(node=node):
                self._expanded(state.by_id[node], state)
            case events.RetryScheduled():
                self._retry(record, record.event, state)
            case events.Warned():
                self._warning(record.event.node, record.event.message)
            case events.CancelRequested():
                by_signal = record.event.request == "signal"
                stop = "; Ctrl-C again stops at once" if by_signal else ""
                self._display.line(f"  cancelling: what was done is undone now{stop}")
            case _:
                pass

    def on_progress(self, progress: Progress) -> None:
        """Show how far an attempt is."""
        self._log()
        self._display.progress(progress)

    def close(self) -> None:
        """Show what the log still has, or where it can be read when that is much."""
        self._log()
        with self._lock:
            more = self._console.settings.verbose and next(self._tail.new(), None) is not None
        if more:
            line = f"    … all of the log: runner logs {self._run}"
            self._display.line(follow_ups.here(self._console.settings, line))

    def _expanded(self, node: PlanNode, state: RunState) -> None:
        instances = state.instances[node.id].nodes
        self._lines.widen((name, node.function) for name in instances)
        if not instances:
            self._ended(node, state)

    def _ended(self, node: PlanNode, state: RunState) -> None:
        self._display.ended(node.id)
        known = state.nodes[node.id]
        self._display.line(
            self._lines.line(
                f"{node.name}/{node.key}" if node.key else node.name,
                node.function,
                kind=node.kind,
                status=known.status,
                seconds=known.duration,
                attempts=known.attempt,
                code=known.error.code if known.error else None,
                outputs=known.outputs,
                reason=known.reason,
            )
        )

    def _retry(self, record: events.Record, event: events.RetryScheduled, state: RunState) -> None:
        self._display.ended(event.node)
        error = state.nodes[event.node].error
        pause = clocks.parse_isoformat(event.until) - clocks.parse_isoformat(record.at)
        said = f": {error.message}" if error else ""
        again = durations.for_people(max(0.0, pause.total_seconds()))
        attempt = f"attempt {state.nodes[event.node].attempt} failed{said}"
        self._display.line(f"  {self._sign('retrying')} {event.node}  {attempt}; again in {again}")

    def _warning(self, node: str, message: str) -> None:
        warning = self._console.style("warning:", on=self._console.err, fg="yellow")
        self._display.line(f"    {warning} {node}: {message}")

    def _sign(self, status: str) -> str:
        sign, colour = phrases.SIGNS[status]
        return self._console.style(sign, on=self._console.err, fg=colour)

    def _log(self) -> None:
        verbose = self._console.settings.verbose
        if not verbose:
            return
        with self._lock:
            for line in itertools.islice(self._tail.new(), _LOG_LINES):
                if loglines.is_shown(line, verbose=verbose):
                    self._display.line("    " + loglines.text(line))


class Warnings:
    """Tells of warnings only."""

    def __init__(self, console: consoles.Console) -> None:
        self._console = console

    def on_event(self, record: events.Record, state: RunState) -> None:
        """Show a warning."""
        if not self._console.is_text:
            return
        match record.event:
            case events.Warned(node=node, message=message):
                self._console.warn(f"{node}: {message}")
            case events.Tolerated(node=node):
                self._console.warn(f"{node}: {tolerated(node, state)}")
            case _:
                pass

    def on_progress(self, progress: Progress) -> None:
        """Ignore the progress."""


class JsonLines:
    """One JSON object a line: every event as the journal has it, and progress as `{"type": "progress", …}`."""

    def __init__(self, console: consoles.Console) -> None:
        self._console = console
        self._lock = threading.Lock()

    def on_event(self, record: events.Record, state: RunState) -> None:
        """Write the event."""
        # The request is the whole plan and blueprint; whoever wants it reads the result.
        self._write({name: value for name, value in records.to_json(record).items() if name != "request"})

    def on_progress(self, progress: Progress) -> None:
        """Write the progress."""
        self._write(displays.to_json(progress))

    def _write(self, value: dict[str, JsonValue]) -> None:
        with self._lock:
            self._console.err.line(json.dumps(value, ensure_ascii=False))


def tolerated(node: str, state: RunState) -> str:
    """Say why a phase has failed with which the action goes on."""
    error = state.nodes[node].error
    return f"{error.message}; the action goes on" if error else "the action goes on"
