"""Exports of runs that have not ended: pruning keeps them until their run has stored its restore point or given up."""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime, timedelta

import msgspec

from runner.base import ids
from runner.registry import location as locations
from runner.repository import crypto, encoding, failures

PREFIX = "gc/pending/"
# A run may wait for a person for so long; the marks of one that nobody takes up again go after that.
LIMIT = timedelta(days=30)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What the mark of an export says.

    Attributes:
        run: The run that made the export.
        is_stored: Whether a segment named the export when the mark was stored; the first mark comes before that.
        modified: When the mark was stored, by the clock of the location.
    """

    export: ids.ExportId
    run: str
    is_stored: bool
    modified: datetime

    def is_valid(self, now: datetime) -> bool:
        """Tell whether it is not too old, by the clock of the location."""
        return now - self.modified <= LIMIT


def put(
    location: locations.Location,
    keys: crypto.Keys,
    export: ids.ExportId,
    run: str,
    random: ids.RandomBytes,
    *,
    is_stored: bool,
) -> None:
    """Mark an export as one of a run that has not ended, from now on."""
    name = PREFIX + export
    data = keys.seal_object(name, encoding.encode({"run": run, "stored": is_stored}), random)
    location.put(name, [data], overwrite=True)


def read_all(location: locations.Location, keys: crypto.Keys) -> Iterator[Mark]:
    """Yield all marks; what one says that cannot be read nobody knows."""
    for info in list(location.list(PREFIX)):
        try:
            fields = encoding.Fields(keys.open_object(info.name, location.get(info.name)), info.name)
            yield Mark(
                export=_export(info.name),
                run=fields.text("run"),
                is_stored=fields.flag("stored"),
                modified=info.modified,
            )
        except (locations.ObjectMissing, failures.RepositoryDamaged):
            continue


def of_run(location: locations.Location, keys: crypto.Keys, run: str) -> Iterator[Mark]:
    """Yield the marks of the exports of a run."""
    return (mark for mark in read_all(location, keys) if mark.run == run)


def valid(location: locations.Location, now: datetime) -> set[ids.ExportId]:
    """Return the exports whose marks are not too old, by the clock of the location."""
    return {_export(info.name) for info in location.list(PREFIX) if now - info.modified <= LIMIT}


def delete(location: locations.Location, export: ids.ExportId) -> None:
    """Remove the mark of an export, if there is one."""
    location.delete(PREFIX + export)


def delete_stale(location: locations.Location, now: datetime, *, settled: Container[ids.ExportId]) -> None:
    """Remove the marks of exports that restore points name, and those that are too old by the clock of the location."""
    for info in list(location.list(PREFIX)):
        if _export(info.name) in settled or now - info.modified > LIMIT:
            location.delete(info.name)


def _export(name: str) -> ids.ExportId:
    return ids.ExportId(name.removeprefix(PREFIX))
