"""Exports of runs that have not ended: pruning keeps them until their run has stored its restore point or given up."""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime, timedelta

from runner.base import ids
from runner.registry import location as locations
from runner.repository import crypto, encoding, failures

PREFIX = "gc/pending/"
# A run may wait for a person for so long; the marks of one that nobody takes up again go after that.
LIMIT = timedelta(days=30)


def put(
    location: locations.Location, keys: crypto.Keys, export: ids.ExportId, run: str, random: ids.RandomBytes
) -> None:
    """Mark an export as one of a run that has not ended, from now on."""
    name = PREFIX + export
    data = keys.seal_object(name, encoding.encode({"run": run}), random)
    location.put(name, [data], overwrite=True)


def of_run(location: locations.Location, keys: crypto.Keys, run: str) -> Iterator[ids.ExportId]:
    """Yield the exports that are marked as those of a run; a mark that cannot be read is nobody's."""
    for info in list(location.list(PREFIX)):
        try:
            fields = encoding.Fields(keys.open_object(info.name, location.get(info.name)), info.name)
            if fields.text("run") == run:
                yield _export(info.name)
        except (locations.ObjectMissing, failures.RepositoryDamaged):
            continue


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
