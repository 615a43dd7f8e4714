"""SqliteBackup beside others who use the database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from runner.base import errors, temporary
from runner.functions import restore_files, sqlite_backup
from runner.registry import argdecode
from runner.registry.args import Outputs
from runner.repository import repository
from runner.testing import phase_context
from tests.unit.repository import tree_samples

ACCOUNTS = 200

# Moves money about in one transaction after another, as fast as it can, until its input ends; then says how often.
WRITER = """
import random, select, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
count = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    source, target = random.sample(range(200), 2)
    database.execute("BEGIN IMMEDIATE")
    database.execute("UPDATE account SET amount = amount - 1 WHERE id = ?", [source])
    database.execute("UPDATE account SET amount = amount + 1 WHERE id = ?", [target])
    database.execute("INSERT INTO padding VALUES (randomblob(100))")
    database.execute("COMMIT")
    count += 1
    if count == 20:
        print("busy", flush=True)
print(count, flush=True)
"""


@pytest.fixture
def ctx(tmp_path: Path) -> phase_context.FakePhaseContext:
    return phase_context.FakePhaseContext(
        tmp_path / "work", services={repository.Repository: tree_samples.new_repository()}
    )


def make_database(path: Path, *, mode: str = "wal", mebibytes: int = 1) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA journal_mode={mode}")
        database.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER)")
        database.executemany("INSERT INTO account VALUES (?, 1000)", [(number,) for number in range(ACCOUNTS)])
        database.execute("CREATE TABLE padding (data BLOB)")
        database.executemany("INSERT INTO padding VALUES (randomblob(1048576))", [()] * mebibytes)
        database.commit()


def backup(ctx: phase_context.FakePhaseContext, database: Path) -> dict[str, object]:
    spec = sqlite_backup.sqlite_backup
    result = spec.call(ctx, argdecode.decode(spec, {"database": str(database)}))
    assert isinstance(result, Outputs)
    assert os.listdir(ctx.work) == []
    return result.model_dump()


def restore(ctx: phase_context.FakePhaseContext, export: object, target: Path) -> None:
    spec = restore_files.restore_files
    spec.call(ctx, argdecode.decode(spec, {"export": export, "target": str(target)}))


def assert_whole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT sum(amount), count(*) FROM account").fetchone() == (1000 * ACCOUNTS, ACCOUNTS)


@contextmanager
def busy_writer(database: Path) -> Iterator[list[int]]:
    """Let a process write until the block ends; the list then holds how many transactions it made."""
    counts: list[int] = []
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"busy\n"
        yield counts
        process.stdin.close()
        counts.append(int(process.stdout.readline()))
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_that_is_written_all_the_time_is_whole(
    ctx: phase_context.FakePhaseContext, tmp_path: Path, mode: str
) -> None:
    database = tmp_path / "bank.sqlite"
    make_database(database, mode=mode, mebibytes=24)
    with busy_writer(database) as counts:
        made = backup(ctx, database)
    assert counts[0] >= 20
    assert made["files"] == 1
    restore(ctx, made["export"], tmp_path / "restored")
    assert os.listdir(tmp_path / "restored") == ["bank.sqlite"]
    assert_whole(tmp_path / "restored" / "bank.sqlite")


def test_writers_go_on_while_a_database_in_wal_mode_is_copied(
    ctx: phase_context.FakePhaseContext, tmp_path: Path
) -> None:
    database = tmp_path / "bank.sqlite"
    make_database(database, mebibytes=12)
    written: list[int] = []
    progress = ctx.progress

    def write_in_between(completed: int, total: int | None, unit: str, description: str = "") -> None:
        progress(completed, total, unit, description)
        if description.startswith("copying"):
            written.append(completed)
            with closing(sqlite3.connect(database, timeout=0)) as other:
                other.execute("UPDATE account SET amount = amount + 1")
                other.commit()

    ctx.progress = write_in_between  # type: ignore[method-assign]
    made = backup(ctx, database)
    assert written == sorted(set(written)), "the copy started again"
    assert len(written) >= 3
    restore(ctx, made["export"], tmp_path / "restored")
    assert_whole(tmp_path / "restored" / "bank.sqlite")


def test_what_is_only_in_the_log_is_part_of_the_backup(ctx: phase_context.FakePhaseContext, tmp_path: Path) -> None:
    database = tmp_path / "bank.sqlite"
    make_database(database)
    with closing(sqlite3.connect(database)) as other:
        other.execute("INSERT INTO account VALUES (1000, 7)")
        other.commit()
        assert (tmp_path / "bank.sqlite-wal").stat().st_size
        made = backup(ctx, database)
    restore(ctx, made["export"], tmp_path / "restored")
    with closing(sqlite3.connect(tmp_path / "restored" / "bank.sqlite")) as restored:
        assert restored.execute("SELECT amount FROM account WHERE id = 1000").fetchone() == (7,)


def test_the_backup_has_the_mode_and_time_of_the_database(ctx: phase_context.FakePhaseContext, tmp_path: Path) -> None:
    database = tmp_path / "bank.sqlite"
    make_database(database, mode="delete")
    database.chmod(0o640)
    os.utime(database, ns=(5, 5))
    restore(ctx, backup(ctx, database)["export"], tmp_path / "restored")
    facts = (tmp_path / "restored" / "bank.sqlite").stat()
    assert (facts.st_mode & 0o777, facts.st_mtime_ns) == (0o640, 5)


def test_a_second_backup_stores_little(ctx: phase_context.FakePhaseContext, tmp_path: Path) -> None:
    database = tmp_path / "bank.sqlite"
    make_database(database, mebibytes=8)
    backup(ctx, database)
    with closing(sqlite3.connect(database)) as other:
        other.execute("UPDATE account SET amount = 2 WHERE id = 3")
        other.commit()
    later = phase_context.FakePhaseContext(tmp_path / "later", services=ctx.services, phase="later")
    assert int(str(backup(later, database)["bytes_new"])) < 2 << 20


def test_a_missing_database_is_named(ctx: phase_context.FakePhaseContext, tmp_path: Path) -> None:
    with pytest.raises(errors.PermanentError) as caught:
        backup(ctx, tmp_path / "missing.sqlite")
    assert caught.value.code == "RT315"
    assert not (tmp_path / "missing.sqlite").exists()


@pytest.mark.parametrize("what", ["text", "directory", "damaged"])
def test_what_is_no_database_is_named(ctx: phase_context.FakePhaseContext, tmp_path: Path, what: str) -> None:
    database = tmp_path / "bank.sqlite"
    if what == "text":
        database.write_text("not a database " * 1000)
    elif what == "directory":
        database.mkdir()
    else:
        make_database(database, mode="delete")
        with database.open("r+b") as file:
            file.seek(100)
            file.write(bytes(range(256)) * 15)
    with pytest.raises(errors.PermanentError) as caught:
        backup(ctx, database)
    assert caught.value.code == "RT316"
    assert os.listdir(ctx.work) == []


def test_a_cancelled_copy_ends_at_once_and_leaves_nothing(ctx: phase_context.FakePhaseContext, tmp_path: Path) -> None:
    database = tmp_path / "bank.sqlite"
    make_database(database, mebibytes=12)
    progress = ctx.progress

    def cancel_in_the_middle(completed: int, total: int | None, unit: str, description: str = "") -> None:
        progress(completed, total, unit, description)
        ctx.cancel.cancel()

    ctx.progress = cancel_in_the_middle  # type: ignore[method-assign]
    with pytest.raises(errors.Cancelled):
        backup(ctx, database)
    assert len(ctx.reports) == 1
    assert os.listdir(ctx.work) == []
    assert ctx.service(repository.Repository).find_export(ctx.token) is None


def test_a_copy_takes_just_the_temporary_space_that_it_needs(
    ctx: phase_context.FakePhaseContext, tmp_path: Path
) -> None:
    database = tmp_path / "bank.sqlite"
    make_database(database)
    ctx.services[temporary.TemporarySpace] = temporary.TemporarySpace(database.stat().st_size)
    backup(ctx, database)
    backup(ctx, database)  # the first has given back what it took

    ctx.services[temporary.TemporarySpace] = temporary.TemporarySpace(database.stat().st_size - 1)
    with pytest.raises(errors.EnvironmentProblem, match=f"the copy of {database} needs 1.0 MiB") as caught:
        backup(ctx, database)
    assert caught.value.code == "RT317"
    assert os.listdir(ctx.work) == []


def test_what_is_only_in_the_log_counts_too(ctx: phase_context.FakePhaseContext, tmp_path: Path) -> None:
    database = tmp_path / "bank.sqlite"
    make_database(database)
    ctx.services[temporary.TemporarySpace] = temporary.TemporarySpace(database.stat().st_size + (1 << 20))
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.executemany("INSERT INTO padding VALUES (randomblob(1048576))", [()] * 2)
        writer.commit()
        with pytest.raises(errors.EnvironmentProblem) as caught:
            backup(ctx, database)
    assert caught.value.code == "RT317"
