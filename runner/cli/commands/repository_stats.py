"""`runner repository stats`: how large a repository is, what it saves, and which restore point holds what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from runner.base import clock, codes, quantities
from runner.cli import application, commanding, follow_ups, options, phrases, shapes, working
from runner.cli import console as consoles
from runner.repository import stats as statistics


@click.command("stats", cls=commanding.Command)
@options.location
@options.passphrase_file
@click.pass_obj
def stats(console: consoles.Console, location: str | None, passphrase_file: Path | None) -> int:
    """Show how much the repository holds, what it saves, and which restore point holds what.

    DATA is what a restore brings back, without holes. Of this, SHARED is what other restore points hold as well, or the
    same one more than once; ONLY HERE is what nobody else holds, before compression. FREED is what pruning gives back
    when this restore point alone is deleted.
    """
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    with working.watched(console, app.clock, "counting", unit="exports") as report:
        found = statistics.collect(repository, report)
    console.result(shapes.of(found), lambda: _lines(console, found))
    return codes.Exit.OK


def _lines(console: consoles.Console, found: statistics.Stats) -> Iterator[str]:
    yield from consoles.table(
        ["WHAT", "COUNT", "SIZE"],
        [
            ("restore points", f"{found.restore_points:,}", ""),
            ("exports", f"{found.exports:,}", _size(found.bytes_held)),
            ("chunks, before compression", f"{found.chunks:,}", _size(found.bytes_plain)),
            ("packs", f"{found.packs:,}", _size(found.bytes_packs)),
            ("everything", f"{found.objects:,}", _size(found.bytes_total)),
        ],
        right=frozenset({1, 2}),
    )
    if found.deduplication is not None and found.compression is not None:
        yield ""
        different = _size(found.bytes_different)
        yield f"deduplication  {_ratio(found.deduplication)}  {_size(found.bytes_held)} hold {different} that differ"
        yield f"compression    {_ratio(found.compression)}  and these take {_size(found.bytes_compressed)}"
        yield f"together       {_ratio(found.bytes_held / found.bytes_compressed)}"
    if found.points:
        yield ""
        yield from _points(found)
    yield from _left(console, found)


def _points(found: statistics.Stats) -> Iterator[str]:
    yield from consoles.table(
        ["POINT", "BLUEPRINT", "CREATED", "DATA", "SHARED", "ONLY HERE", "FREED", ""],
        [
            (
                point.id[:8],
                point.blueprint,
                phrases.when(clock.isoformat(point.created)),
                _size(point.bytes_data),
                _size(point.bytes_shared),
                _size(point.bytes_unique),
                _size(point.bytes_freed),
                "" if point.is_complete else "damaged",
            )
            for point in found.points
        ],
        right=frozenset({3, 4, 5, 6}),
    )


def _left(console: consoles.Console, found: statistics.Stats) -> Iterator[str]:
    if found.bytes_unfinished:
        yield f"{_size(found.bytes_unfinished)} are held by exports that belong to no restore point (yet)"
    if found.bytes_unused:
        remedy = follow_ups.complete(console.settings, "`runner repository prune` frees them")
        yield f"{_size(found.bytes_unused)} are not used any more; {remedy}"


def _ratio(value: float) -> str:
    return f"{value:5.1f} : 1"


def _size(count: int) -> str:
    return quantities.bytes_for_people(count)
