"""Kill runs at chosen moments, resume them, and look at what is left.

A moment is a record of the journal and an offset after it. Both are drawn from a seed, and a failing test prints them,
so that one can be replayed: `Moment.parse("7+12.5ms:both")`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import psutil

PATIENCE_S = 60.0
ENOUGH = 4  # kills of the backups in one test

Record: TypeAlias = Callable[[str, object], None]


@dataclass(frozen=True, slots=True)
class Moment:
    """When (record of the journal, milliseconds after it) and whom (`runner`, `reaper` or `both`) to kill."""

    record: int
    offset_ms: float
    victim: str

    def __str__(self) -> str:
        return f"{self.record}+{self.offset_ms}ms:{self.victim}"

    @classmethod
    def parse(cls, text: str) -> Moment:
        when, _, victim = text.partition(":")
        record, _, offset = when.removesuffix("ms").partition("+")
        return cls(int(record), float(offset), victim)

    @classmethod
    def draw(cls, dice: random.Random, records: int) -> Moment:
        victim = dice.choices(["runner", "reaper", "both"], weights=[6, 1, 2])[0]
        return cls(dice.randrange(1, records), round(dice.expovariate(1 / 25), 1), victim)


@dataclass
class Bed:
    """A state directory and the environment in which commands of the runner work on it."""

    state: Path
    cwd: Path
    environment: dict[str, str] = field(default_factory=dict)
    kills: list[str] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, **self.environment, "RUNNER_STATE_DIR": str(self.state), "NO_COLOR": "1"}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.state.parent / "output.txt").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", "runner", "--progress", "none", *arguments],
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def call(self, *arguments: str) -> str:
        """Run a command to its end; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "runner", "--progress", "none", *arguments],
            env=self.env,
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, self.report(f"{arguments} exits {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.call(*arguments, "-o", "json"))

    def json_lines(self, *arguments: str) -> list[Any]:
        return [json.loads(line) for line in self.call(*arguments, "-o", "json").splitlines()]

    def report(self, what: str) -> str:
        output = (self.state.parent / "output.txt").read_text() if (self.state.parent / "output.txt").exists() else ""
        return f"{what}\nkills so far: {', '.join(self.kills)}\n{output[-4000:]}"

    def run_killed(self, run: str, moments: Sequence[Moment], *exec_arguments: str) -> dict[str, Any]:
        """Execute a run, kill it at each moment in turn, resume it each time; return how it ended."""
        process = self.start("exec", *exec_arguments, "--run-id", run)
        try:
            for moment in moments:
                self._kill_at(process, run, moment)
                process.wait(PATIENCE_S)
                command = ["resume", run] if (self.state / "runs" / run).exists() else None
                process = self.start(*(command or ["exec", *exec_arguments, "--run-id", run]))
            process.wait(PATIENCE_S)
        finally:
            process.kill()
        shown: dict[str, Any] = self.json("show", run)["run"]
        assert shown["status"] == "succeeded", self.report(json.dumps(shown, indent=1))
        return shown

    def _kill_at(self, process: subprocess.Popen[bytes], run: str, moment: Moment) -> None:
        path = self.state / "runs" / run / "journal"
        deadline = time.monotonic() + PATIENCE_S
        while _records(path) <= moment.record and process.poll() is None:
            assert time.monotonic() < deadline, self.report(f"record {moment.record} does not come")
            time.sleep(0.002)
        time.sleep(moment.offset_ms / 1000)
        victims = list(_victims(process.pid, moment.victim)) if process.poll() is None else []
        if victims:
            self.kills.append(str(moment))
            print(f"{run} is killed at {moment}")
        for victim in victims:
            victim.send_signal(signal.SIGKILL)

    def leftovers(self) -> list[str]:
        """Return the processes of this bed that still live, and the files that only a run under way needs."""
        found = [f"process {process.pid} {process.cmdline()}" for process in self._processes()]
        for pattern in ("*.partial", "tmp/*"):
            for base in (self.state, self.cwd):
                found.extend(str(path) for path in base.rglob(pattern))
        return found

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                if process.environ().get("RUNNER_STATE_DIR") == str(self.state) and process.pid != os.getpid():
                    yield process
            except psutil.Error:
                continue


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A blueprint that is killed: how it is called, how long its journals are, and how a restore is judged.

    Attributes:
        backup: Blueprint and options of a backup.
        restore: Blueprint and options of a restore, without the action.
        records: About how many records the journals of a backup and of a restore have.
        compare: Gets the run that restored; asserts that what it restored equals the source.
    """

    backup: tuple[str, ...]
    restore: tuple[str, ...]
    records: tuple[int, int]
    compare: Callable[[dict[str, Any]], None]


def survive(bed: Bed, example: Example, dice: random.Random, record: Record, *, each: tuple[int, int] = (1, 2)) -> None:
    """Back up at least twice and restore, each killed a few times, look at the result, and record how many kills."""
    backups: list[str] = []
    while len(backups) < 2 or (len(bed.kills) < ENOUGH and len(backups) < 9):
        backups.append(f"b000000{len(backups) + 1}")
        bed.run_killed(backups[-1], _moments(dice, example.records[0], each), *example.backup)
    moments = _moments(dice, example.records[1], each)
    restore = bed.run_killed("r0000001", moments, *example.restore, "--action", "restore")

    points = [point["run"] for point in bed.json_lines("restore-points", "list")]
    assert sorted(points) == backups, bed.report("there is not one restore point for each backup")
    example.compare(restore)
    bed.call("repository", "check", "--read-data")
    bed.call("repository", "prune")
    assert bed.leftovers() == [], bed.report("something is left over")
    bed.call("exec", example.restore[0], "--action", "verify")
    assert len(bed.kills) >= ENOUGH or _told(), bed.report("the runs ended before they could be killed")
    record("kills", len(bed.kills))


def _moments(dice: random.Random, records: int, many: tuple[int, int]) -> list[Moment]:
    return _told() or [Moment.draw(dice, records) for _ in range(dice.randint(*many))]


def _told() -> list[Moment]:
    told = os.environ.get("RUNNER_KILL_MOMENTS")
    return [Moment.parse(text) for text in told.split(",")] if told else []


def _records(path: Path) -> int:
    """Count the lines of a journal, without reading them: it is asked all the time."""
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def _victims(runner: int, which: str) -> Iterator[psutil.Process]:
    try:
        process = psutil.Process(runner)
        reapers = [child for child in process.children() if any("reaper" in part for part in child.cmdline())]
    except psutil.Error:
        return
    if which in ("reaper", "both"):
        yield from reapers
    if which in ("runner", "both"):
        yield process
