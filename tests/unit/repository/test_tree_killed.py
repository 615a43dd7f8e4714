"""A restore that is killed, at whatever step, is completed by the next attempt and leaves nothing beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import runner
from runner.base import clock as clocks
from runner.locations import directory
from runner.repository import access, tree_restore
from tests.unit.repository import tree_samples

TOKEN = "t" * 32
ATTEMPT = """
import os, signal, sys
from pathlib import Path
from runner.base import clock
from runner.locations import directory
from runner.repository import access
from tests.unit.repository import tree_samples

scratch, export, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
looks = 0

def meddle():
    global looks
    looks += 1
    if looks == last:
        os.kill(os.getpid(), signal.SIGKILL)

repo = access.open(directory.Directory(scratch / "repository"), "passphrase", clock=clock.SystemClock())
bench = tree_samples.Bench(scratch, repo)
bench.cancel = tree_samples.Meddling(meddle)
bench.restore(export, scratch / "restored" / "target")
print(looks)
"""


def attempt(scratch: Path, export: str, last: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ATTEMPT, str(scratch), export, str(last)],
        cwd=Path(runner.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )


def prepare(scratch: Path, *, exists: bool) -> tree_samples.Bench:
    """Make a source, and a place for it that may exist."""
    (scratch / "source" / "below").mkdir(parents=True)
    for number in range(100):
        (scratch / "source" / "below" / str(number)).write_bytes(bytes([number]) * 1000)
    (scratch / "source" / "below").chmod(0o555)
    place = directory.Directory(scratch / "repository")
    repo = access.create(place, "passphrase", clock=clocks.SystemClock(), kdf=tree_samples.CHEAP)
    (scratch / "restored").mkdir()
    if exists:
        (scratch / "restored" / "target").mkdir()
    return tree_samples.Bench(scratch, repo)


@pytest.mark.parametrize("step", [1, 40, 120])
@pytest.mark.parametrize("exists", [False, True])
def test_a_killed_restore_is_completed_by_the_next_attempt(tmp_path: Path, step: int, exists: bool) -> None:
    source = tmp_path / "source"
    export = prepare(tmp_path, exists=exists).backup(source).export

    killed = attempt(tmp_path, export, step)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "restored" / "target" / "source").exists()
    completed = attempt(tmp_path, export, 0)
    assert completed.returncode == 0, completed.stderr
    assert int(completed.stdout) > step
    assert tree_samples.account(tmp_path / "restored" / "target" / "source") == tree_samples.account(source)
    assert os.listdir(tmp_path / "restored") == ["target"]
    assert os.listdir(tmp_path / "restored" / "target") == ["source"]
    for top in (source, tmp_path / "restored" / "target" / "source"):
        (top / "below").chmod(0o755)


@pytest.mark.parametrize("exists", [False, True])
def test_looking_for_a_killed_restore_removes_what_it_left(tmp_path: Path, exists: bool) -> None:
    bench = prepare(tmp_path, exists=exists)
    export = bench.backup(tmp_path / "source").export
    restored, target = tmp_path / "restored", tmp_path / "restored" / "target"

    def look() -> tree_restore.Restored | None:
        record = tmp_path / f"record-{TOKEN}"
        return tree_restore.find_restored(lambda: bench.repo, export, target, token=TOKEN, record=record)

    assert attempt(tmp_path, export, 40).returncode == -signal.SIGKILL
    assert list(restored.rglob("*.partial"))

    assert look() is None
    assert [path for path in restored.rglob("*") if path != target] == []
    assert attempt(tmp_path, export, 0).returncode == 0
    assert look() == tree_restore.Restored(files=100, bytes=100_000)
    (tmp_path / "source" / "below").chmod(0o755)
    (target / "source" / "below").chmod(0o755)
