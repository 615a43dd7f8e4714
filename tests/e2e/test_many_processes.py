"""Several processes export, restore and prune at the same time in one directory."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from runner.base import clock
from runner.locations import directory
from runner.repository import access, check, prune
from tests.unit.repository.making import CHEAP, contents, noise, point, put

TOP = Path(__file__).resolve().parents[2]
ROUNDS = 6
SHARED = [noise(str(number), 4000) for number in range(20)]

EXPORT = """
import sys
from runner.base import clock
from runner.locations import directory
from runner.repository import access
from tests.e2e.test_many_processes import ROUNDS, chunks
from tests.unit.repository.making import point, put

who = sys.argv[2]
for number in range(ROUNDS):
    repo = access.open(directory.Directory(sys.argv[1], max_used_percent=100), "secret", clock=clock.SystemClock())
    token = f"{who}{number}"
    stored = repo.put_point(point(f"{who * 7}{number}", put(repo, token, *chunks(token), run=token)))
    repo.release_exports(token)
    if number % 2:
        repo.delete_point(stored.id)
"""

PRUNE = """
import sys
from datetime import timedelta
from runner.base import clock
from runner.locations import directory
from runner.repository import access, failures, prune

for _ in range(8):
    repo = access.open(directory.Directory(sys.argv[1], max_used_percent=100), "secret", clock=clock.SystemClock())
    try:
        prune.prune(repo, unfinished=timedelta(0))
    except failures.RepositoryLocked:
        pass
"""

RESTORE = """
import sys
from runner.base import clock
from runner.locations import directory
from runner.repository import access
from tests.e2e.test_many_processes import chunks
from tests.unit.repository.making import contents

repo = access.open(directory.Directory(sys.argv[1], max_used_percent=100), "secret", clock=clock.SystemClock())
for _ in range(25):
    assert contents(repo, repo.point("zzzzzzzz").exports[0].export) == chunks("first")
"""


def chunks(token: str) -> list[bytes]:
    """Return what an export holds: some of what all share, and something of its own."""
    first = sum(token.encode()) % 15
    return [*SHARED[first : first + 5], noise(token, 3000)]


def test_exports_restores_and_prunings_of_several_processes(tmp_path: Path) -> None:
    place = directory.Directory(tmp_path / "repository", max_used_percent=100)
    repo = access.create(place, "secret", clock=clock.SystemClock(), kdf=CHEAP)
    repo.put_point(point("zzzzzzzz", put(repo, "first", *chunks("first"))))
    put(repo, "old", *SHARED)
    scripts = [(EXPORT, "a"), (EXPORT, "b"), (PRUNE, "c"), (PRUNE, "d"), (RESTORE, "e")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "repository"), who], stderr=subprocess.PIPE, cwd=TOP
        )
        for script, who in scripts
    ]
    problems = [process.communicate(timeout=240)[1].decode() for process in processes]
    assert problems == [""] * len(processes)

    prune.prune(repo, unfinished=timedelta(0))
    report = check.check(repo, read_data=True)
    assert (report.problems, report.unused_packs, report.restore_points) == ((), 0, 1 + ROUNDS)
    for stored in repo.points():
        token = "first" if stored.id == "zzzzzzzz" else f"{stored.id[0]}{stored.id[-1]}"
        assert contents(repo, stored.exports[0].export) == chunks(token)
    assert list(place.list("gc/")) == list(place.list("locks/")) == []
