"""How far a run is, as lines, bars and words."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from rich import console as rich_console
from rich import progress as rich_progress

from runner.base import clock
from runner.cli import console, displays, loglines, pace, phrases, progress, settings
from runner.cli.commands import logs
from runner.engine import runs
from runner.engine.progress import Progress
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli


def report(completed: int, total: int | None = None, unit: str = "bytes", description: str = "") -> Progress:
    return Progress(node="files", completed=completed, total=total, unit=unit, description=description)


@pytest.fixture
def terminal() -> console.Console:
    return console.Console(settings.from_environment({"HOME": "/"}), io.StringIO(), io.StringIO(), {})


def standard_error(terminal: console.Console) -> io.StringIO:
    stream = terminal.err._stream
    assert isinstance(stream, io.StringIO)
    return stream


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (report(512), "512 B"),
        (report(12 << 20, 85 << 20), "12.0 MiB of 85.0 MiB"),
        (report(1204, None, "files"), "1,204 files"),
        (report(3, 9, "files", "a.txt"), "3 of 9 files a.txt"),
    ],
)
def test_progress_is_said_in_units_of_people(given: Progress, expected: str) -> None:
    assert displays.amount(given) == expected


def test_plain_progress_of_a_long_phase_comes_every_ten_seconds(terminal: console.Console) -> None:
    time = clock.FakeClock()
    plain = displays.Plain(terminal, time)
    for megabytes in range(1, 24):
        plain.progress(report(megabytes << 20))
        time.advance(1)
    assert standard_error(terminal).getvalue() == ("    files: 11.0 MiB, 1.0 MiB/s\n    files: 21.0 MiB, 1.0 MiB/s\n")


def test_time_left_is_told_when_the_end_is_known(terminal: console.Console) -> None:
    time = clock.FakeClock()
    plain = displays.Plain(terminal, time)
    for megabytes in range(1, 13):
        plain.progress(report(megabytes << 20, 85 << 20))
        time.advance(1)
    assert standard_error(terminal).getvalue() == "    files: 11.0 MiB of 85.0 MiB, 1.0 MiB/s, 1 min 14 s left\n"


def test_a_rate_is_that_of_the_last_half_minute() -> None:
    measured, now = pace.Pace(), 0.0
    assert measured.report(now, 0) is None
    assert measured.report(1, 100) is None
    for second in range(2, 41):
        assert measured.report(second, 100 * second) == 100
    for second in range(41, 72):
        rate = measured.report(second, 4000 + (second - 40))
    assert rate == 1
    assert measured.report(73, 5) is None


@pytest.mark.parametrize(
    ("speed", "expected"),
    [
        (pace.Speed("bytes", None, None), ""),
        (pace.Speed("bytes", 0.0, None), ""),
        (pace.Speed("bytes", 3 << 20, 7300.0), "3.0 MiB/s, 2 h 1 min left"),
        (pace.Speed("bytes", 3 << 20, 5.4), "3.0 MiB/s, 5 s left"),
        (pace.Speed("bytes", 3 << 20, 0.4), "3.0 MiB/s"),
        (pace.Speed("objects", 1234.4, None), "1,234 objects/s"),
    ],
)
def test_speed_in_words(speed: pace.Speed, expected: str) -> None:
    assert str(speed) == expected


def test_live_display_keeps_lines_and_forgets_ended_phases() -> None:
    written = io.StringIO()
    bars = rich_progress.Progress(console=rich_console.Console(file=written, force_terminal=True, width=80))
    live = displays.Live(bars, clock.FakeClock())
    live.started("files")
    live.progress(report(5, 10))
    assert [(task.description, task.completed, task.total) for task in bars.tasks] == [("files", 5, 10)]
    live.ended("files")
    live.progress(report(6, 10))
    assert bars.tasks == []
    live.line("  ✓ [files] done")
    assert "✓ [files] done" in written.getvalue()


def test_notes_go_above_a_live_display(terminal: console.Console) -> None:
    shown: list[str] = []
    with terminal.err.through(shown.append):
        terminal.note("made the repository")
    terminal.note("after")
    assert (shown, standard_error(terminal).getvalue()) == (["made the repository"], "after\n")


@pytest.mark.parametrize(
    ("environment", "no_color", "expected"),
    [({}, False, True), ({"NO_COLOR": "1"}, False, False), ({"TERM": "dumb"}, False, False), ({}, True, False)],
)
def test_colours_are_for_terminals_whose_owner_wants_them(
    environment: dict[str, str], no_color: bool, expected: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    chosen = settings.from_environment({"HOME": "/"})
    chosen.no_color = no_color
    shown = console.Console(chosen, Terminal(), io.StringIO(), environment)
    assert shown.colour(shown.out) is expected
    assert not shown.colour(shown.err)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({}, ""),
        ({"files": 1, "bytes": 10}, "1 file, 10 B"),
        (
            {"export": "x", "bytesStored": 3 << 20, "bytesRead": 85 << 20, "bytesNew": 31 << 20, "files": 1204},
            "1,204 files, 85.0 MiB read, 31.0 MiB new, 3.0 MiB stored",
        ),
        ({"bytesRead": 5, "bytesNew": 0, "bytesStored": 0}, "5 B read, nothing new"),
        ({"files": "many", "bytes": True}, ""),
    ],
)
def test_facts_of_a_phase_come_from_its_outputs(outputs: dict[str, object], expected: str) -> None:
    assert phrases.facts(outputs) == expected


def test_a_table_without_rows_has_no_header() -> None:
    assert console.table(["A", "B"], []) == []
    assert console.table(["A", "B"], [("x", "1"), ("yy", "22")], right=frozenset({1})) == ["A    B", "x    1", "yy  22"]


def test_a_log_is_read_once_and_only_in_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    tail = loglines.Tail(path)
    assert list(tail.new()) == []
    path.write_text('{"event": "one"}\n{"event": "tw')
    assert [line["event"] for line in tail.new()] == ["one"]
    with path.open("a") as stream:
        stream.write('o"}\n')
    assert [line["event"] for line in tail.new()] == ["two"]


def test_a_log_line_for_people_has_time_phase_event_and_fields() -> None:
    line = {"time": "2026-01-01T12:30:05.1Z", "level": "warning", "event": "disk.slow", "phase": "dump", "after_s": 3}
    assert loglines.text(line) == "12:30:05 [dump] warning: disk.slow after_s=3"
    said = {"time": "2026-01-01T12:30:05.1Z", "level": "info", "event": "command.output", "stream": "stdout"}
    assert loglines.text({**said, "line": "hello"}).endswith("hello")


def said(path: Path, count: int) -> None:
    lines = [{"time": "2026-01-01T12:30:05Z", "event": "command.output", "line": f"line {n}"} for n in range(count)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_flood_in_the_log_is_shown_in_bounded_pieces_and_not_to_its_end(
    cli: Cli, tmp_path: Path, terminal: console.Console
) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    assert cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw").code == 0
    directory = runs.Runs(tmp_path / "state", clock.SystemClock()).find("7k")
    plan = directory.state().plan
    said(directory.log, 5000)
    terminal.settings.verbose = 1
    terminal.settings.progress = settings.Progress.PLAIN
    shown = standard_error(terminal)
    with progress.watch(terminal, directory, plan, clock.FakeClock()) as observer:
        observer.on_progress(report(1))
        first = shown.getvalue().count("line ")
        assert 0 < first < 1000
        observer.on_progress(report(2))
        assert f"line {first}\n" in shown.getvalue()
    assert shown.getvalue().count("line ") < 3000
    assert shown.getvalue().endswith("    … all of the log: runner logs 7kq2m9xw\n")


def test_printing_a_log_stops_when_nobody_reads_it_any_more(tmp_path: Path) -> None:
    said(tmp_path / "log.jsonl", 5000)
    source, sink = os.pipe()
    os.close(source)
    with os.fdopen(sink, "w") as out:
        printed = console.Console(settings.from_environment({"HOME": "/"}), out, io.StringIO(), {})
        tail = loglines.Tail(tmp_path / "log.jsonl")
        logs._print(printed, tail, None)
    assert len(list(tail.new())) > 4900
