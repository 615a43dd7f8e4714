"""Progress of commands that are no runs."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from runner.base import cancel, clock
from runner.cli import console, settings, working
from runner.repository import volumes
from tests.property.test_volumes import BLOCK, MIB, Image, export
from tests.unit.cli import sample_points
from tests.unit.cli.conftest import Cli
from tests.unit.cli.test_progress import standard_error
from tests.unit.repository import making


def watch(form: settings.Progress, *, quiet: bool = False) -> str:
    chosen = settings.from_environment({"HOME": "/"})
    chosen.progress, chosen.quiet = form, quiet
    shown = console.Console(chosen, io.StringIO(), io.StringIO(), {})
    time = clock.FakeClock()
    with working.watched(shown, time, "restoring") as report:
        for megabytes in range(12):
            report(megabytes << 20, 100 << 20)
            report(megabytes << 20, 100 << 20)
            time.advance(1)
    return standard_error(shown).getvalue()


def test_lines_are_sparse_and_tell_the_time_left() -> None:
    assert watch(settings.Progress.AUTO) == "    restoring: 10.0 MiB of 100.0 MiB, 1.0 MiB/s, 1 min 30 s left\n"


def test_every_report_is_an_object_on_request() -> None:
    lines = [json.loads(line) for line in watch(settings.Progress.JSON).splitlines()]
    assert len(lines) == 12
    assert (lines[3]["type"], lines[3]["completed"], lines[3]["total"]) == ("progress", 3 << 20, 100 << 20)


def test_stages_are_shown_one_after_the_other() -> None:
    chosen = settings.from_environment({"HOME": "/"})
    chosen.progress = settings.Progress.AUTO
    shown = console.Console(chosen, io.StringIO(), io.StringIO(), {})
    time = clock.FakeClock()
    with working.in_stages(shown, time) as report:
        for stage, unit in (("looking", "chunks"), ("removing", "packs")):
            for count in range(12):
                report(stage, unit, count, 100)
                time.advance(1)
    assert standard_error(shown).getvalue() == (
        "    looking: 10 of 100 chunks, 1 chunks/s, 1 min 30 s left\n"
        "    removing: 10 of 100 packs, 1 packs/s, 1 min 30 s left\n"
    )


def test_nothing_is_shown_when_nobody_wants_it() -> None:
    assert watch(settings.Progress.NONE) == watch(settings.Progress.AUTO, quiet=True) == ""


def test_a_request_to_end_is_like_ctrl_c() -> None:
    shown = console.Console(settings.from_environment({"HOME": "/"}), io.StringIO(), io.StringIO(), {})
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), working.watched(shown, clock.FakeClock(), "restoring"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_volume_is_done_when_its_end_is_reached_holes_included() -> None:
    repo = making.make()
    disk = Image(100 * MIB, {number: making.noise(str(number), BLOCK) for number in range(0, 64 * MIB // BLOCK, 32)})
    made = export(repo, disk, "a").export
    told: list[tuple[int, int | None]] = []
    volumes.verify_volume(
        repo, made, cancel=cancel.CancelToken(), progress=lambda done, total: told.append((done, total))
    )
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {100 * MIB}
    assert 30 * MIB < told[0][0] < 34 * MIB
    assert told[-1] == (100 * MIB, 100 * MIB)


@pytest.mark.parametrize(
    "words",
    [
        "restore-points verify",
        "repository check --read-data",
        "repository prune --dry-run",
        "repository repair --dry-run",
        "repository cat POINT disk",
    ],
)
def test_long_commands_report(cli: Cli, shop: sample_points.Shop, words: str) -> None:
    answer = cli("--progress", "json", *words.replace("POINT", shop.point).split())
    assert answer.code == 0, answer.err
    reports = [json.loads(line) for line in answer.err.splitlines()]
    assert reports
    assert {report["type"] for report in reports} == {"progress"}
    assert any(report["completed"] for report in reports)


@pytest.mark.parametrize("words", ["restore-points verify", "repository check"])
def test_a_search_for_what_the_index_has_lost_reports(
    cli: Cli, shop: sample_points.Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    shutil.copytree(shop.state, tmp_path / "copy")
    monkeypatch.setenv("RUNNER_STATE_DIR", str(tmp_path / "copy"))
    for segment in (tmp_path / "copy" / "repository" / "index").iterdir():
        segment.unlink()
    packs = sum(path.is_file() for path in (tmp_path / "copy" / "repository" / "data").rglob("*"))
    answer = cli("--progress", "json", *words.split())
    reports = [json.loads(line) for line in answer.err.splitlines() if line.startswith("{")]
    found = [report for report in reports if report["type"] == "progress" and report["node"] == "searching packs"]
    assert (found[-1]["completed"], found[-1]["total"], found[-1]["unit"]) == (packs, packs, "packs")


def test_work_beside_other_work_is_shown_in_its_display() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = console.Console(settings.from_environment({"HOME": "/"}), io.StringIO(), Terminal(), {})
    time = clock.FakeClock()
    with working.watched(shown, time, "verifying") as outer:
        display = shown.display
        with working.watched(shown, time, "searching", unit="packs") as inner:
            assert shown.display is display is not None
            inner(1, 2)
        outer(1, 2)
    assert shown.display is None
