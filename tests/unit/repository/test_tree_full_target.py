"""Restores to file systems that are full or read-only, mounted by the test where nobody else sees them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import runner
from runner.base import errors
from tests import privileges
from tests.unit.repository import tree_samples

SCRIPT = """
import json, os, random, sys
from pathlib import Path
from runner.base import errors
from tests.unit.repository import tree_samples
scratch, mounted = Path(sys.argv[1]), Path(sys.argv[2])
bench = tree_samples.Bench(scratch)
(scratch / "source").mkdir()
for number in range(3):
    (scratch / "source" / str(number)).write_bytes(random.Random(number).randbytes(1 << 20))
export = bench.backup(scratch / "source").export
found = {}
for target in (mounted / "new" / "target", mounted):
    try:
        bench.restore(export, target)
    except errors.RunnerError as error:
        found = {"code": error.code, "message": error.message, "hint": error.hint}
    found["left"] = sorted(str(path) for path in mounted.rglob("*"))
    print(json.dumps(found))
"""


def restore_to_mount(tmp_path: Path, options: str) -> list[dict[str, object]]:
    program = shutil.which("unshare")
    if program is None or os.geteuid() != 0:
        pytest.skip("mounting a file system needs root and the program unshare")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    command = f'mount -t tmpfs -o {options} none "$2" || exit 77; exec "$0" -W error -c "$3" "$1" "$2"'
    ended = subprocess.run(
        [program, "-m", "sh", "-c", command, sys.executable, str(tmp_path), str(mounted), SCRIPT],
        cwd=Path(runner.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode in (1, 77) and "Traceback" not in ended.stderr:
        pytest.skip(f"no file system can be mounted here: {ended.stderr.strip()}")
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_full_disk_is_named_and_nothing_half_written_is_left(tmp_path: Path) -> None:
    for found in restore_to_mount(tmp_path, "size=2m"):
        assert found["code"] == "RT312"
        assert "full" in str(found["message"])
        assert found["hint"]
        assert found["left"] == []


def test_a_read_only_target_is_named(tmp_path: Path) -> None:
    for found in restore_to_mount(tmp_path, "ro"):
        assert found["code"] == "RT311"
        assert found["left"] == []


def test_a_target_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    repo = tree_samples.new_repository()
    (tmp_path / "file").write_text("x")
    export = tree_samples.Bench(tmp_path, repo).backup(tmp_path / "file").export
    with privileges.given_up() as scratch:
        (scratch / "target").mkdir()
        (scratch / "target").chmod(0o555)
        with pytest.raises(errors.EnvironmentProblem) as caught:
            tree_samples.Bench(scratch, repo).restore(export, scratch / "target")
        assert caught.value.code == "RT311"
        assert os.listdir(scratch / "target") == []
