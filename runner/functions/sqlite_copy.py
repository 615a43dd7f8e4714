"""Copy an SQLite database that others are writing to, with SQLite's own means."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from runner.base import errors, temporary
from runner.registry import context

# How many pages are copied between two looks at whether to give up.
_PAGES = 1024
# How often somebody else's lock is waited for, for as many seconds.
_TRIES = 60

_NOT_A_DATABASE = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def copy(ctx: context.PhaseContext, database: Path, target: Path, space: temporary.Share) -> None:
    """Copy a database as it is at one moment, its log included; what it takes is exact, since that moment is held.

    Raises:
        PermanentError: RT316 if it is no database or damaged, RT313 if it cannot be read.
        TransientError: If somebody else keeps it locked.
        EnvironmentProblem: RT312 if the disk of the copy is full, RT317 if the copy is larger than is allowed.
    """
    # `rw` rather than `ro`: what a crashed application left in its log must be readable. It never makes a database.
    address = f"{database.as_uri()}?mode=rw"
    with (
        _explaining(database),
        closing(sqlite3.connect(address, uri=True, timeout=1.0, isolation_level=None)) as source,
        closing(sqlite3.connect(target, isolation_level=None)) as new,
    ):
        # A copy that is not finished is thrown away, so it needs no journal of its own.
        new.execute("PRAGMA journal_mode = OFF")
        new.execute("PRAGMA synchronous = OFF")
        _hold_still(ctx, source)
        page_size = _asked(source, "page_size")
        space.take(_asked(source, "page_count") * page_size)

        def look(_: int, remaining: int, total: int) -> None:
            ctx.cancel.raise_if_cancelled()
            ctx.progress((total - remaining) * page_size, total * page_size, "bytes", f"copying {database}")

        source.backup(new, pages=_PAGES, progress=look, sleep=0)


def _hold_still(ctx: context.PhaseContext, source: sqlite3.Connection) -> None:
    """Begin to read, and so hold one moment of the database until the connection is closed.

    Without this, a copy in steps starts again whenever somebody has written since its last step, and never ends beside
    a steady writer; in a single step, it could not be cancelled. Within one read transaction it is neither.
    """
    source.execute("BEGIN")
    for attempt in range(_TRIES):
        ctx.cancel.raise_if_cancelled()
        try:
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if _code(error) not in _BUSY or attempt == _TRIES - 1:
                raise
        else:
            return


def _asked(source: sqlite3.Connection, pragma: str) -> int:
    return int(source.execute(f"PRAGMA {pragma}").fetchone()[0])


@contextmanager
def _explaining(database: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _problem(error, database) from error


def _problem(error: sqlite3.Error, database: Path) -> errors.RunnerError:
    code = _code(error)
    if code in _NOT_A_DATABASE:
        return errors.PermanentError(
            f"{database} is no SQLite database, or it is damaged or encrypted",
            code="RT316",
            details=str(error),
            hint="see what the file is; `PRAGMA integrity_check` tells where a database is damaged",
        )
    if code in _BUSY:
        return errors.TransientError(
            f"the database {database} has been locked by somebody else for a minute",
            details=str(error),
            hint="see which transaction is open, or use WAL mode",
        )
    if code == sqlite3.SQLITE_FULL:
        return errors.EnvironmentProblem(
            f"the disk of the state directory is full: the copy of {database} does not fit",
            code="RT312",
            hint="make room there, or use another state directory",
        )
    return errors.PermanentError(
        f"the database {database} cannot be read: {error}",
        code="RT313",
        hint="see whether this user may read the file, and write to its directory",
    )


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code of SQLite."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
