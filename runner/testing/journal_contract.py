"""What every journal must do; a class of tests that a new journal inherits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest

from runner.engine import events
from runner.engine.journal import Journal


class OpenedJournal(Journal, Protocol):
    """A journal that also tells what it held when it was opened."""

    @property
    def records(self) -> Sequence[events.Record]:
        """The records that were durable before."""


def record(seq: int, message: str = "") -> events.Record:
    """Return a record for tests."""
    return events.Record(
        seq=seq,
        at="2026-01-01T00:00:00.000000Z",
        elapsed=0.5 * seq,
        event=events.Warned(node=f"n{seq}", message=message),
    )


class JournalContract:
    """Inherit, set `__test__ = True`, and say how a journal is made and opened again after its process has died."""

    __test__ = False

    def create(self, path: Path, first: events.Record) -> OpenedJournal:
        """Make a journal that holds one record, and open it."""
        raise AssertionError("a test of a journal says how it is made")

    def reopen(self, path: Path, journal: OpenedJournal) -> OpenedJournal:
        """Open the journal again without closing it, as after a crash."""
        raise AssertionError("a test of a journal says how it is opened")

    def test_acknowledged_records_are_there_after_a_crash(self, tmp_path: Path) -> None:
        """Whatever `append` returned for is read again, in order."""
        journal = self.create(tmp_path, record(0))
        journal.append([record(1, "one"), record(2, "zwei äöü ✓ \udcff")])
        journal.append([record(3)])

        assert list(self.reopen(tmp_path, journal).records) == [
            record(0),
            record(1, "one"),
            record(2, "zwei äöü ✓ \udcff"),
            record(3),
        ]

    def test_a_reopened_journal_goes_on_where_it_was(self, tmp_path: Path) -> None:
        """Records appended by two drivers one after the other are all there."""
        first = self.create(tmp_path, record(0))
        first.append([record(1)])
        second = self.reopen(tmp_path, first)
        second.append([record(2)])

        assert [held.seq for held in self.reopen(tmp_path, second).records] == [0, 1, 2]

    def test_every_kind_of_event_comes_back_equal(self, tmp_path: Path) -> None:
        """An event is equal to itself after a round trip, nested errors and orders included."""
        error = events.ErrorValue(code="RT200", message="m", kind="transient", context={"a": "b"}, retry_after=1.5)
        kinds: list[events.Event] = [
            events.Attached(pid=1, host="h"),
            events.Started(node="a", attempt=2),
            events.Succeeded(node="a", attempt=2, outputs={"x": [1, None, {"y": "z"}]}),
            events.AttemptFailed(node="a", attempt=2, error=error),
            events.InDoubt(node="a", attempt=2),
            events.RetryScheduled(node="a", until="2026-01-01T00:00:00.000000Z"),
            events.LookFailed(node="a", error=error, until=None),
            events.Unwinding(order=("revert/a", "cleanup/a")),
            events.Committed(artifacts={"a": {"b": 1}}, restore_point=None),
            events.Finished(status="succeeded"),
        ]
        written = [
            events.Record(seq=seq, at="2026-01-01T00:00:00.000000Z", elapsed=0.25, event=event)
            for seq, event in enumerate(kinds, 1)
        ]
        journal = self.create(tmp_path, record(0))
        journal.append(written)

        assert list(self.reopen(tmp_path, journal).records)[1:] == written

    def test_it_says_that_it_has_room(self, tmp_path: Path) -> None:
        """A new journal on a disk with space is not full."""
        assert not self.create(tmp_path, record(0)).is_full

    def test_failures_are_journal_failures(self, tmp_path: Path) -> None:
        """What cannot be journalled is refused before anything is written."""
        journal = self.create(tmp_path, record(0))
        with pytest.raises((ValueError, TypeError)):
            journal.append([record(1), events.Record(seq=2, at="", elapsed=float("nan"), event=record(2).event)])

        assert [held.seq for held in self.reopen(tmp_path, journal).records] == [0]
