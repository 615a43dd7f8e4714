"""What goes wrong at the user's side: a clear error, the right exit code, nothing half-written, nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD = "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: notes}\nactions:\n"
BACKUP = """
  backup:
    outputArtifacts:
      notes: {{keyValue: {{export: "{{{{ phases.notes.outputs.export }}}}"}}}}
    phases:
    - {{name: notes, func: BackupFiles, args: {{paths: ["{source}"]}}}}
  restore:
    inputArtifactNames: [notes]
    inputs:
      target: {{type: path, required: true}}
    phases:
    - name: notes
      func: RestoreFiles
      args: {{export: "{{{{ artifactsIn.notes.export }}}}", target: "{{{{ inputs.target }}}}"}}
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A directory to back up."""
    source = tmp_path / "notes"
    (source / "deep").mkdir(parents=True)
    (source / "first.txt").write_text("one\n" * 5000)
    (source / "deep" / "second.bin").write_bytes(os.urandom(300_000))
    return source


@pytest.fixture
def blueprint(tmp_path: Path, notes: Path) -> Path:
    path = tmp_path / "blueprint.yaml"
    path.write_text(HEAD + BACKUP.format(source=notes))
    return path


def error_of(done: Any, code: str, exit_code: int) -> str:
    """Check how a command failed; returns what it said."""
    assert done.code == exit_code, done.out + done.err
    assert f"error[{code}]" in done.err
    assert "hint: " in done.err
    return str(done.err)


def test_a_wrong_passphrase_is_told_apart_from_a_missing_repository(
    runner: Any, blueprint: Path, tmp_path: Path
) -> None:
    place = tmp_path / "repository"
    runner.environment["RUNNER_PASSPHRASE"] = "right-passphrase"
    error_of(runner("exec", blueprint, "--location", place), "RT410", 4)
    assert not place.exists() or not list(place.rglob("*"))
    runner.init("--location", place)
    assert runner("exec", blueprint, "--location", place).code == 0

    runner.environment["RUNNER_PASSPHRASE"] = "wrong-passphrase"
    said = error_of(runner("restore-points", "list", "--location", place), "RT412", 4)
    assert "wrong-passphrase" not in said
    error_of(runner("exec", blueprint, "--location", place), "RT412", 4)


def test_a_missing_program_is_named(runner: Any, tmp_path: Path) -> None:
    path = tmp_path / "blueprint.yaml"
    path.write_text(
        HEAD + "  backup:\n    phases:\n    - {name: a, func: RunCommand, args: {command: [no-such-tool]}}\n"
    )
    assert "no-such-tool" in error_of(runner("exec", path), "RT205", 4)


def test_a_full_disk_ends_the_backup_and_leaves_the_repository_whole(
    runner: Any, blueprint: Path, notes: Path, small_disk: Path
) -> None:
    runner.environment["RUNNER_PASSPHRASE"] = "a-passphrase"
    place = small_disk / "repository"
    runner.init("--location", place)
    assert runner("exec", blueprint, "--location", place).code == 0
    (notes / "large.bin").write_bytes(os.urandom(3 << 20))

    error_of(runner("exec", blueprint, "--location", place), "RT312", 4)

    assert runner("repository", "check", "--read-data", "--location", place).code == 0
    listed = runner("restore-points", "list", "-o", "json", "--location", place)
    assert len(listed.out.splitlines()) == 1
    (notes / "large.bin").unlink()
    assert runner("repository", "prune", "--location", place).code == 0
    assert runner("exec", blueprint, "--location", place).code == 0


def test_a_full_state_directory_stops_before_anything_is_touched(
    runner: Any, blueprint: Path, small_disk: Path
) -> None:
    runner.state = small_disk / "state"
    (small_disk / "ballast").write_bytes(b"x" * ((1 << 20) - 8192))

    done = runner("exec", blueprint)

    assert done.code == 4, done.err
    assert "full" in done.err or "No space" in done.err


def test_a_read_only_target_is_refused_and_nothing_is_half_written(
    runner: Any, blueprint: Path, tmp_path: Path, small_disk: Path
) -> None:
    runner.init()
    assert runner("exec", blueprint).code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    target = small_disk / "restored"
    error_of(runner("exec", blueprint, "--action", "restore", "--set", f"target={target}"), "RT311", 4)

    assert list(small_disk.iterdir()) == []


def test_existing_data_is_not_written_over_without_being_told(runner: Any, blueprint: Path, notes: Path) -> None:
    runner.init()
    assert runner("exec", blueprint).code == 0
    (notes / "first.txt").write_text("changed since\n")
    onto = ("--action", "restore", "--set", f"target={notes.parent}")

    assert "--overwrite" in error_of(runner("exec", blueprint, *onto), "RT310", 4)
    assert (notes / "first.txt").read_text() == "changed since\n"

    assert runner("exec", blueprint, *onto, "--overwrite").code == 0
    assert (notes / "first.txt").read_text() == "one\n" * 5000


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.chmod(0o600)
    path.write_bytes(bytes(data))


def _truncate(path: Path) -> None:
    path.chmod(0o600)
    # More than its directory, which a restore can do without.
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [_flip, _truncate])
def test_a_damaged_pack_is_found_and_named_and_restores_nothing(
    runner: Any, blueprint: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    runner.init()
    point = runner.exec(blueprint).run["restorePoints"][0]["id"]
    pack = max(
        (runner.state / "repository" / "data").rglob("*"), key=lambda path: path.is_file() and path.stat().st_size
    )
    damage(pack)

    said = error_of(runner("repository", "check", "--read-data"), "RT415", 1)
    assert pack.name in said + runner("repository", "check", "--read-data").out
    target = tmp_path / "restored"
    error_of(runner("exec", blueprint, "--action", "restore", "--set", f"target={target}"), "RT415", 1)
    assert not target.exists()
    assert list(tmp_path.rglob("*.partial")) == []
    assert runner("restore-points", "verify", point).code == 1


def test_an_unreadable_file_fails_the_backup_unless_it_may_be_skipped(tmp_path: Path, notes: Path) -> None:
    if os.geteuid() == 0 and not os.access("/usr/bin/setpriv", os.X_OK):
        pytest.skip("dropping to an ordinary user needs setpriv: apt-get install util-linux")
    (notes / "deep" / "secret.txt").write_text("mine")
    (notes / "deep" / "secret.txt").chmod(0o000)
    code, said = _as_nobody(tmp_path, notes, "fail")
    assert (code, "error[RT313]" in said, "secret.txt" in said) == (1, True, True), said

    code, said = _as_nobody(tmp_path, notes, "skip")
    assert (code, "secret.txt" in said) == (0, True), said


def _as_nobody(tmp_path: Path, notes: Path, unreadable: str) -> tuple[int, str]:
    """Back up with the rights of an ordinary user: root keeps its name but loses the right to read everything."""
    blueprint = tmp_path / f"{unreadable}.yaml"
    arguments = f'{{paths: ["{notes}"], unreadable: {unreadable}}}'
    blueprint.write_text(HEAD + f"  backup:\n    phases:\n    - {{name: a, func: BackupFiles, args: {arguments}}}\n")
    command = [sys.executable, "-m", "runner", "exec", str(blueprint)]
    if os.geteuid() == 0:
        drop = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}", *command]
        os.chmod(notes / "deep" / "secret.txt", 0)
    environment = {**os.environ, "RUNNER_STATE_DIR": str(tmp_path / f"state-{unreadable}")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_a_second_driver_of_a_run_is_refused(runner: Any, tmp_path: Path) -> None:
    path = tmp_path / "blueprint.yaml"
    script = "touch started; while [ ! -e go ]; do sleep 0.05; done"
    phase = f"{{name: a, func: RunCommand, args: {{script: '{script}', workdir: '{tmp_path}', idempotent: true}}}}"
    path.write_text(HEAD + f"  backup:\n    phases:\n    - {phase}\n")
    environment = {**os.environ, "RUNNER_STATE_DIR": str(runner.state), "PYTHONPATH": os.pathsep.join(sys.path)}
    first = subprocess.Popen(
        [sys.executable, "-m", "runner", "exec", str(path), "--run-id", "b0000001"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "started").exists():
        assert first.poll() is None
        time.sleep(0.01)

    error_of(runner("resume", "b0000001"), "RT211", 4)
    assert runner("exec", path, "--run-id", "b0000001").code == 2

    (tmp_path / "go").touch()
    assert first.wait(60) == 0


def test_a_restore_point_outlives_the_state_directory(
    runner: Any, blueprint: Path, notes: Path, tmp_path: Path
) -> None:
    runner.environment["RUNNER_PASSPHRASE"] = "a-passphrase"
    place = tmp_path / "repository"
    runner.init("--location", place)
    point = runner.exec(blueprint, "--location", place).run["restorePoints"][0]["id"]
    shutil.rmtree(runner.state)

    target = tmp_path / "elsewhere"
    runner.exec(blueprint, "--action", "restore", "--from", point, "--location", place, "--set", f"target={target}")

    assert (target / "notes" / "first.txt").read_text() == "one\n" * 5000
