"""A small bank with some documents: the application that this example backs up.

    app.py prepare DATA             make the data, unless it is there
    app.py trade DATA --seconds S   move money between accounts for a while, as a busy application does
    app.py check DIRECTORY          prove that a database is whole: not a cent was made or lost

What is written to standard output as `###Phase-output###: {…}` becomes an output of the phase.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import sqlite3
import time
from pathlib import Path

ACCOUNTS = 200
OPENING_CENTS = 100_000
EARLIER_TRANSFERS = 50_000
DATABASE = "bank.sqlite"
LETTERS = 300
SPARSE_BYTES = 32 << 20

SCHEMA = """
CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0));
CREATE TABLE transfer (id INTEGER PRIMARY KEY, source INTEGER, target INTEGER, cents INTEGER NOT NULL);
"""
ACCOUNTS_OFF_THE_LEDGER = """
SELECT count(*) FROM account
  LEFT JOIN (SELECT target AS id, sum(cents) AS got FROM transfer GROUP BY target) USING (id)
  LEFT JOIN (SELECT source AS id, sum(cents) AS gave FROM transfer GROUP BY source) USING (id)
WHERE account.cents != ? + coalesce(got, 0) - coalesce(gave, 0)
"""


def prepare(data: Path) -> None:
    """Make the data once; it appears whole or not at all."""
    if data.exists():
        return
    partial = data.with_name(f".{data.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    make_database(partial / DATABASE)
    make_documents(partial / "documents")
    partial.rename(data)


def make_database(path: Path) -> None:
    """Open the accounts, all with the same amount, and let some time go by."""
    draw = random.Random(2)
    balances = [OPENING_CENTS] * ACCOUNTS
    ledger = []
    for _ in range(EARLIER_TRANSFERS):
        source, target = draw.sample(range(ACCOUNTS), 2)
        cents = draw.randrange(balances[source] + 1)
        balances[source] -= cents
        balances[target] += cents
        ledger.append((source, target, cents))
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.executescript(SCHEMA)
        database.executemany("INSERT INTO account VALUES (?, ?)", enumerate(balances))
        database.executemany("INSERT INTO transfer (source, target, cents) VALUES (?, ?, ?)", ledger)
        database.commit()


def make_documents(directory: Path) -> None:
    """Write what trees of files are made of: text, pictures, links, holes, attributes, odd names."""
    draw = random.Random(1)
    for number in range(LETTERS):
        letter = directory / "letters" / str(2020 + number % 6) / f"letter {number:03}.txt"
        letter.parent.mkdir(parents=True, exist_ok=True)
        letter.write_text(f"Dear customer {number},\n" + "your balance is enclosed.\n" * draw.randrange(5, 200))
    photos = directory / "photos"
    photos.mkdir()
    for number in range(8):
        (photos / f"photo-{number}.jpg").write_bytes(draw.randbytes(400_000))
    os.link(photos / "photo-0.jpg", photos / "best.jpg")
    (directory / "newest letter").symlink_to("letters/2025/letter 299.txt")
    (directory / "Grüße aus Zürich.txt").write_text("Alles Gute!\n", encoding="utf-8")
    (directory / "empty").mkdir(mode=0o750)
    make_sparse(directory / "disk.img", draw)
    with contextlib.suppress(OSError):  # not every file system has extended attributes
        os.setxattr(photos / "photo-1.jpg", "user.camera", b"Kiev 88")


def make_sparse(path: Path, draw: random.Random) -> None:
    """Write a large file that is mostly holes."""
    with path.open("wb") as file:
        file.truncate(SPARSE_BYTES)
        for offset in (0, SPARSE_BYTES // 3, SPARSE_BYTES - 5000):
            file.seek(offset)
            file.write(draw.randbytes(5000))
    path.chmod(0o440)


def trade(data: Path, seconds: float) -> None:
    """Transfer money without a pause until the time is over."""
    end = time.monotonic() + seconds
    with contextlib.closing(sqlite3.connect(data / DATABASE, timeout=30, isolation_level=None)) as database:
        done = 0
        while time.monotonic() < end:
            transfer(database)
            done += 1
            time.sleep(0.001)
    report("transfers", done)


def transfer(database: sqlite3.Connection) -> None:
    """Move an amount from one account to another, and write it into the ledger."""
    source, target = random.sample(range(ACCOUNTS), 2)
    database.execute("BEGIN IMMEDIATE")
    (held,) = database.execute("SELECT cents FROM account WHERE id = ?", (source,)).fetchone()
    cents = random.randrange(held + 1)
    database.execute("UPDATE account SET cents = cents - ? WHERE id = ?", (cents, source))
    database.execute("UPDATE account SET cents = cents + ? WHERE id = ?", (cents, target))
    database.execute("INSERT INTO transfer (source, target, cents) VALUES (?, ?, ?)", (source, target, cents))
    database.execute("COMMIT")


def check(directory: Path) -> None:
    """Read a database without changing its directory, and stop at the first thing that is wrong."""
    address = f"{(directory / DATABASE).resolve().as_uri()}?immutable=1"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
        expect("integrity", database.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        total = database.execute("SELECT sum(cents) FROM account").fetchone()[0]
        expect("sum of all balances", total, ACCOUNTS * OPENING_CENTS)
        wrong = database.execute(ACCOUNTS_OFF_THE_LEDGER, (OPENING_CENTS,)).fetchone()[0]
        expect("accounts that differ from the ledger", wrong, 0)
        report("transfers", database.execute("SELECT count(*) FROM transfer").fetchone()[0])


def expect(what: str, found: object, wanted: object) -> None:
    """Stop with a sentence unless both are equal."""
    if found != wanted:
        raise SystemExit(f"{what}: {found} instead of {wanted}")


def report(key: str, value: object) -> None:
    """Hand an output to the phase."""
    print("###Phase-output###:", json.dumps({"key": key, "value": str(value)}))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["prepare", "trade", "check"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    if arguments.what == "trade":
        trade(arguments.directory, arguments.seconds)
    elif arguments.what == "prepare":
        prepare(arguments.directory)
    else:
        check(arguments.directory)


if __name__ == "__main__":
    main()
