"""`runner repository ls` and `runner repository cat`: look into restore points without restoring them."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from runner.app import browsing
from runner.base import codes, errors, quantities
from runner.cli import application, commanding, options, phrases, working
from runner.cli import console as consoles
from runner.repository import ranges

_LETTERS = {
    "directory": "d",
    "symlink": "l",
    "fifo": "p",
    "character": "c",
    "block": "b",
    "socket": "s",
}


@click.command("ls", cls=commanding.Command)
@click.argument("point")
@click.argument("path", required=False, default="")
@click.option("-R", "--recursive", is_flag=True, help="Also list everything below.")
@options.location
@options.passphrase_file
@click.pass_obj
def ls(
    console: consoles.Console,
    point: str,
    path: str,
    recursive: bool,
    location: str | None,
    passphrase_file: Path | None,
) -> int:
    """List what is in a restore point.

    Without PATH these are its exports; the path of anything else begins with the name of its export. POINT is the id of
    a restore point or the start of it.
    """
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    found = repository.point(point)
    if path.strip("/"):
        _print_entries(console, browsing.locate(repository, found, path), recursive=recursive)
        return codes.Exit.OK
    rows = [browsing.export_row(repository, export) for export in found.exports]
    console.records(rows, lambda rows: _exports(console, rows))
    for export in found.exports if recursive else ():
        spot = browsing.locate(repository, found, export.name)
        if spot.is_tree:
            _print_entries(console, spot, recursive=True)
    return codes.Exit.OK


@click.command("cat", cls=commanding.Command)
@click.argument("point")
@click.argument("path")
@options.size("--offset", default="0", help="Where to begin.")
@options.size("--length", help="How much to print. [default: all]")
@options.location
@options.passphrase_file
@click.pass_obj
def cat(
    console: consoles.Console,
    point: str,
    path: str,
    offset: int,
    length: int | None,
    location: str | None,
    passphrase_file: Path | None,
) -> int:
    """Print a file of a restore point, a stream, or the bytes of a volume.

    Only what is printed is read. Every byte is checked before it is printed; where the repository is damaged, the
    output ends and the exit code is not 0.
    """
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    chunks = repository.reader()
    spot = browsing.locate(repository, repository.point(point), path)
    content = browsing.content(spot, chunks)
    if offset > content.size_bytes:
        raise errors.UsageError(
            f"{spot} has {quantities.bytes_for_people(content.size_bytes)} ({content.size_bytes} bytes), "
            f"there is nothing at byte {offset}",
            hint="give a smaller --offset",
        )
    if spot.export.kind == "volume" and length is None and console.out.is_terminal:
        raise errors.UsageError(
            f"{spot} is a volume, which no terminal can show",
            hint="send it to a file or a program, or ask for a part with --offset and --length",
        )
    end = content.size_bytes if length is None else min(offset + length, content.size_bytes)
    pieces = ranges.read(content, chunks, offset, end)
    if console.out.is_terminal:
        _pour(console, pieces, lambda done: None)
        return codes.Exit.OK
    with working.watched(console, app.clock, str(spot)) as report:
        _pour(console, pieces, lambda done: report(done, end - offset))
    return codes.Exit.OK


def _pour(console: consoles.Console, pieces: Iterator[bytes], progress: Callable[[int], None]) -> None:
    done = 0
    for piece in pieces:
        console.out.write_bytes(piece)
        if console.out.closed:
            return
        done += len(piece)
        progress(done)


def _print_entries(console: consoles.Console, spot: browsing.Spot, *, recursive: bool) -> None:
    """Print one line after the other: a tree may have millions of entries."""
    if not spot.is_tree:
        rows = [browsing.export_row(spot.repository, spot.export)]
        console.records(rows, lambda rows: _exports(console, rows))
        return
    for path, entry in browsing.children(spot, recursive=recursive):
        if console.out.closed:
            return
        console.records([browsing.entry_row(spot, path, entry)], lambda rows: map(_line, rows))


def _exports(console: consoles.Console, rows: Iterable[Any]) -> Iterator[str]:
    shown = list(rows)
    if not shown:
        console.note("the restore point has no exports")
    yield from consoles.table(
        ["EXPORT", "KIND", "SIZE", "FILES", "SOURCE"],
        [
            (
                row["path"],
                row["type"],
                quantities.bytes_for_people(row["size"]),
                "" if row["files"] is None else f"{row['files']:,}",
                row["source"],
            )
            for row in shown
        ],
        right=frozenset({2, 3}),
    )


def _line(row: Any) -> str:
    name, target = browsing.shown(row["path"]), browsing.shown(row["target"] or "")
    if row["type"] == "link":
        return f"{'hard link':<28}  {'':>10}  {'':<20}  {name} = {target}"
    size = "" if row["size"] is None else quantities.bytes_for_people(row["size"])
    rights = _LETTERS.get(row["type"], "-") + stat.filemode(int(row["mode"], 8))[1:]
    owners = f"{row['owner']:<8} {row['group']:<8}"
    leads = f" -> {target}" if target else ""
    return f"{rights} {owners}  {size:>10}  {phrases.when(row['modified'])}  {name}{leads}"
