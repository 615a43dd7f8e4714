"""A chain of shops, each with a database of its own: the application that this example backs up.

    app.py prepare DATA               make the data, unless it is there; says which shops there are
    app.py ship DATA --seconds S      move goods from shop to shop for a while, whenever the chain is open
    app.py close DATA                 no goods are under way any more, and none leave
    app.py open DATA                  business as usual
    app.py book DATA --run ID         enter a backup into the book of the head office
    app.py strike DATA --run ID       strike it out again
    app.py check DIRECTORY            prove that the databases belong together: no parcel is lost or counted twice

What is written to standard output as `###Phase-output###: {…}` becomes an output of the phase.
"""

import argparse
import contextlib
import fcntl
import json
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

SHOPS = ("harbour", "hill", "market", "station")
PARCELS = 500
DATABASE = "stock.sqlite"


def prepare(data: Path) -> None:
    """Make the data once; it appears whole or not at all."""
    if not data.exists():
        partial = data.with_name(f".{data.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for shop in SHOPS:
            make_shop(partial / "shops" / shop)
        make_photos(partial / "photos")
        (partial / "book.txt").touch()
        partial.rename(data)
    report("shops", sorted(path.name for path in (data / "shops").iterdir()))


def make_shop(directory: Path) -> None:
    """Give a shop its first parcels."""
    directory.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(directory / DATABASE)) as database:
        database.execute("CREATE TABLE parcel (name TEXT PRIMARY KEY, note TEXT NOT NULL)")
        parcels = [(f"{directory.name}-{number:03}", "fragile " * (number % 40)) for number in range(PARCELS)]
        database.executemany("INSERT INTO parcel VALUES (?, ?)", parcels)
        database.commit()


def make_photos(directory: Path) -> None:
    """Take a picture of every shop."""
    draw = random.Random(5)
    directory.mkdir()
    for shop in SHOPS:
        (directory / f"{shop}.jpg").write_bytes(draw.randbytes(200_000))


@contextlib.contextmanager
def door(data: Path) -> Iterator[Path]:
    """Hold the key of the chain; yields the sign that says `closed` while it hangs there."""
    with (data / "key").open("w") as key:
        fcntl.flock(key, fcntl.LOCK_EX)
        yield data / "closed"


def ship(data: Path, seconds: float) -> None:
    """Move parcels until the time is over."""
    end, moved = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with door(data) as closed:
            if not closed.exists():
                move(data)
                moved += 1
        time.sleep(0.002)
    report("moved", moved)


def move(data: Path) -> None:
    """Move one parcel: it leaves one database and enters another, so that only both together are right."""
    source, target = (data / "shops" / shop / DATABASE for shop in random.sample(SHOPS, 2))
    with contextlib.closing(sqlite3.connect(source)) as database:
        row = database.execute("SELECT name, note FROM parcel ORDER BY random() LIMIT 1").fetchone()
        if row is None:
            return
        database.execute("ATTACH ? AS there", (str(target),))
        database.execute("DELETE FROM parcel WHERE name = ?", row[:1])
        database.execute("INSERT INTO there.parcel VALUES (?, ?)", row)
        database.commit()


def enter(data: Path, run: str) -> None:
    """Write a run into the book, once."""
    with door(data):
        book = (data / "book.txt").read_text().split()
        (data / "book.txt").write_text("".join(f"{line}\n" for line in dict.fromkeys([*book, run])))


def strike(data: Path, run: str) -> None:
    """Take a run out of the book."""
    with door(data):
        book = (data / "book.txt").read_text().split()
        (data / "book.txt").write_text("".join(f"{line}\n" for line in book if line != run))


def check(directory: Path) -> None:
    """Read all databases without changing anything, and stop at the first thing that is wrong."""
    found: list[str] = []
    for path in sorted(directory.glob(f"*/{DATABASE}")):
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as database:
            expect(f"integrity of {path.parent.name}", database.execute("PRAGMA integrity_check").fetchone()[0], "ok")
            found += [name for (name,) in database.execute("SELECT name FROM parcel")]
    expect("parcels", len(found), len(SHOPS) * PARCELS)
    expect("parcels that are in two shops", len(found) - len(set(found)), 0)
    report("parcels", len(found))


def expect(what: str, found: object, wanted: object) -> None:
    """Stop with a sentence unless both are equal."""
    if found != wanted:
        raise SystemExit(f"{what}: {found} instead of {wanted}")


def report(key: str, value: object) -> None:
    """Hand an output to the phase."""
    print("###Phase-output###:", json.dumps({"key": key, "value": json.dumps(value)}))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["prepare", "ship", "close", "open", "book", "strike", "check"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--run", default="")
    arguments = parser.parse_args()
    data = arguments.directory
    match arguments.what:
        case "prepare":
            prepare(data)
        case "ship":
            ship(data, arguments.seconds)
        case "close":
            with door(data) as closed:
                closed.touch()
        case "open":
            with door(data) as closed:
                closed.unlink(missing_ok=True)
        case "book":
            enter(data, arguments.run)
        case "strike":
            strike(data, arguments.run)
        case "check":
            check(data)


if __name__ == "__main__":
    main()
