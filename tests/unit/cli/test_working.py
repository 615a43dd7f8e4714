"""Progress of commands that are no runs."""

from __future__ import annotations

import io
import json
import os
import signal

import pytest

from runner.base import clock
from runner.cli import console, settings, working
from tests.unit.cli.test_progress import standard_error


def watch(form: settings.Progress, *, quiet: bool = False) -> str:
    chosen = settings.from_environment({"HOME": "/"})
    chosen.progress, chosen.quiet = form, quiet
    shown = console.Console(chosen, io.StringIO(), io.StringIO(), {})
    time = clock.FakeClock()
    with working.watched(shown, time, "restoring") as report:
        for megabytes in range(12):
            report(megabytes << 20, 100 << 20)
            time.advance(1)
    return standard_error(shown).getvalue()


def test_lines_are_sparse_and_tell_the_time_left() -> None:
    assert watch(settings.Progress.AUTO) == "    restoring: 10.0 MiB of 100.0 MiB, 1.0 MiB/s, 1 min 30 s left\n"


def test_every_report_is_an_object_on_request() -> None:
    lines = [json.loads(line) for line in watch(settings.Progress.JSON).splitlines()]
    assert len(lines) == 12
    assert (lines[3]["type"], lines[3]["completed"], lines[3]["total"]) == ("progress", 3 << 20, 100 << 20)


def test_nothing_is_shown_when_nobody_wants_it() -> None:
    assert watch(settings.Progress.NONE) == watch(settings.Progress.AUTO, quiet=True) == ""


def test_a_request_to_end_is_like_ctrl_c() -> None:
    shown = console.Console(settings.from_environment({"HOME": "/"}), io.StringIO(), io.StringIO(), {})
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), working.watched(shown, clock.FakeClock(), "restoring"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
