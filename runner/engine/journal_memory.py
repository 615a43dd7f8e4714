"""A journal that lives in memory, for tests of the engine and for rehearsals."""

from __future__ import annotations

from collections.abc import Iterable

from runner.engine import events, journal


class MemoryJournal:
    """Keeps the records of each append as one group."""

    is_full = False

    def __init__(self, records: Iterable[events.Record] = ()) -> None:
        self.records: list[events.Record] = list(records)
        self.groups: list[tuple[events.Record, ...]] = []

    def append(self, records: Iterable[events.Record]) -> None:
        """Keep records."""
        group = tuple(records)
        for record in group:
            journal.encode(record, group[0].seq)  # refuses what a file could not hold
        self.groups.append(group)
        self.records.extend(group)

    def close(self) -> None:
        """Do nothing."""
