"""`runner repository diff`: what differs between two restore points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from runner.app import browsing, differences
from runner.base import clock, codes, quantities
from runner.cli import application, commanding, options, phrases
from runner.cli import console as consoles
from runner.model.restore_point import RestorePoint

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_KINDS = {"link": "hard link", "symlink": "symbolic link"}
# A volume may have changed in very many places; all of them are there with `-o json`.
_MOST_EXTENTS = 20


@click.command("diff", cls=commanding.Command)
@click.argument("point_a")
@click.argument("point_b")
@options.location
@options.passphrase_file
@click.pass_obj
def diff(
    console: consoles.Console, point_a: str, point_b: str, location: str | None, passphrase_file: Path | None
) -> int:
    """Show what was added, removed and changed from one restore point to another.

    Only lists of files and maps of volumes are read, and of these only what differs. Volumes are compared in chunks of
    64 KiB. The time at which a directory was modified does not count.
    """
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    older, newer = repository.point(point_a), repository.point(point_b)
    rows = differences.rows(repository, older, newer)
    if not console.is_text:
        for row in rows:
            console.records([row], lambda _: ())
        return codes.Exit.OK
    console.out.line(console.style(f"{_point(older)} → {_point(newer)}", bold=True))
    for line in _Text(console).lines(rows):
        console.out.line(line)
        if console.out.closed:
            break
    return codes.Exit.OK


def _point(point: RestorePoint) -> str:
    return f"{point.id[:8]} ({point.blueprint}, {phrases.when(clock.isoformat(point.created))})"


class _Text:
    """Writes the rows for people, each export under its name."""

    def __init__(self, console: consoles.Console) -> None:
        self._console = console
        self._export = ""
        self._extents = 0

    def lines(self, rows: Iterator[Any]) -> Iterator[str]:
        for row in rows:
            if row["change"] == "total":
                yield from self._total(row)
                continue
            if row["export"] != self._export:
                self._export, self._extents = row["export"], 0
                yield self._export
            self._extents += row["type"] == "extent"
            if self._extents <= _MOST_EXTENTS or row["type"] != "extent":
                sign, colour = _SIGNS[row["change"]]
                yield f"  {self._console.style(sign, fg=colour)} {_what(row)}"

    def _total(self, row: Any) -> Iterator[str]:
        if self._extents > _MOST_EXTENTS:
            yield f"    … and {phrases.count(self._extents - _MOST_EXTENTS, 'stretch')[:-1]}es more (all with -o json)"
        counts = [f"{row[name]:,} {name}" for name in ("added", "removed", "changed") if row[name]]
        if not counts:
            yield f"{row['export']}: the same, {_size(row['sizeAfter'])}"
            return
        if row["type"] == "tree" and row["sizeBefore"] is not None and row["sizeAfter"] is not None:
            moved = f"; {_size(row['bytes'])} in new and changed files" if row["bytes"] else ""
            yield f"    {', '.join(counts)}{moved}"
        elif row["type"] == "volume" and not (row["added"] or row["removed"]):
            share = row["bytes"] / row["sizeAfter"] if row["sizeAfter"] else 0
            yield f"    {_size(row['bytes'])} of {_size(row['sizeAfter'])} differ ({share:.1%})"


def _what(row: Any) -> str:
    if row["type"] == "extent":
        return f"{row['offset']:>16,}  {_size(row['length']):>10}  {row['what'][0]}"
    name = browsing.shown(row["path"].removeprefix(f"{row['export']}/"))
    if row["type"] in ("tree", "volume", "stream"):
        return f"{row['type']}, {_sizes(row)}" + (
            f"; {_size(row['bytesNew'])} are new, {_size(row['bytesGone'])} are gone" if "bytesNew" in row else ""
        )
    # A file whose content changed was modified, of course.
    aspects = [aspect for aspect in row["what"] if aspect != "modified" or "content" not in row["what"]]
    said = [_aspect(row, aspect) for aspect in aspects]
    if not said and row["sizeBefore"] is row["sizeAfter"] is None:
        said = [_KINDS.get(row["type"], row["type"])]
    return f"{name}  {', '.join(said or [_sizes(row)])}"


def _aspect(row: Any, aspect: str) -> str:
    if aspect == "content":
        return f"content ({_sizes(row)})"
    if f"{aspect}Before" in row:
        return f"{aspect} {row[f'{aspect}Before']} → {row[f'{aspect}After']}"
    return {"modified": "time", "xattrs": "extended attributes", "link": "hard link"}.get(aspect, aspect)


def _sizes(row: Any) -> str:
    before, after = row["sizeBefore"], row["sizeAfter"]
    if before is None or after is None or before == after:
        return _size(before if after is None else after)
    if _size(before) == _size(after):
        return f"{before:,} → {after:,} bytes"
    return f"{_size(before)} → {_size(after)}"


def _size(count: int) -> str:
    return quantities.bytes_for_people(count)
