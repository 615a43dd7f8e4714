"""The shipped journals keep the contract, and broken ones do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from runner.engine import events, journal, journal_file, journal_memory
from runner.testing import journal_contract
from runner.testing.journal_contract import OpenedJournal, record


class TestFileJournal(journal_contract.JournalContract):
    __test__ = True

    def create(self, path: Path, first: events.Record) -> OpenedJournal:
        journal_file.create(path / "journal", first)
        return journal_file.FileJournal(path / "journal")

    def reopen(self, path: Path, journal: OpenedJournal) -> OpenedJournal:
        return journal_file.FileJournal(path / "journal")


class TestMemoryJournal(journal_contract.JournalContract):
    __test__ = True

    def create(self, path: Path, first: events.Record) -> OpenedJournal:
        return journal_memory.MemoryJournal([first])

    def reopen(self, path: Path, journal: OpenedJournal) -> OpenedJournal:
        return journal_memory.MemoryJournal(journal.records)


class _Forgetful(journal_memory.MemoryJournal):
    """Acknowledges the last record of each group without keeping it."""

    def append(self, records: Iterable[events.Record]) -> None:
        self.records.extend(list(records)[:-1])


class _Shuffling(journal_memory.MemoryJournal):
    """Keeps each group backwards."""

    def append(self, records: Iterable[events.Record]) -> None:
        self.records.extend(reversed(list(records)))


@pytest.mark.parametrize("broken", [_Forgetful, _Shuffling])
def test_the_contract_rejects_a_broken_journal(broken: Callable[..., OpenedJournal], tmp_path: Path) -> None:
    class Suite(journal_contract.JournalContract):
        def create(self, path: Path, first: events.Record) -> OpenedJournal:
            return broken([first])

        def reopen(self, path: Path, journal: OpenedJournal) -> OpenedJournal:
            return journal

    with pytest.raises(AssertionError):
        Suite().test_acknowledged_records_are_there_after_a_crash(tmp_path)


@pytest.fixture
def written(tmp_path: Path) -> tuple[bytes, int]:
    """The content of a journal of four records in two groups, and where the second group starts."""
    path = tmp_path / "journal"
    journal_file.create(path, record(0))
    held = journal_file.FileJournal(path)
    held.append([record(1)])
    held.close()
    middle = path.stat().st_size
    held = journal_file.FileJournal(path)
    held.append([record(2, "two"), record(3, "three")])
    held.close()
    return path.read_bytes(), middle


def test_a_write_that_was_cut_off_anywhere_loses_only_the_tail(written: tuple[bytes, int]) -> None:
    data, middle = written
    for cut in range(middle, len(data)):
        for padding in (b"", bytes(4096)):
            records, end = journal.read(data[:cut] + padding)
            assert [held.seq for held in records] == list(range(len(records)))
            assert len(records) >= 2
            assert end <= cut


def test_pages_of_one_group_that_reach_the_disk_out_of_order_are_a_cut_off_write(written: tuple[bytes, int]) -> None:
    data, middle = written
    second_line = data.index(b"\n", middle) + 1
    records, end = journal.read(data[:middle] + bytes(second_line - middle) + data[second_line:])
    assert ([held.seq for held in records], end) == ([0, 1], middle)


def test_every_flipped_bit_of_an_earlier_record_is_damage(written: tuple[bytes, int]) -> None:
    data, middle = written
    for position in range(middle):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            with pytest.raises(journal.JournalDamaged):
                journal.read(bytes(flipped))


def test_a_reader_beside_the_writer_sees_whole_records_only(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal_file.create(path, record(0))
    held = journal_file.FileJournal(path)
    held.append([record(1)])
    assert [seen.seq for seen in journal_file.load(path)] == [0, 1]


def test_nothing_is_appended_after_a_failed_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    journal_file.create(path, record(0))
    held = journal_file.FileJournal(path)

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", fail)
        with pytest.raises(journal.JournalFailed):
            held.append([record(1)])
    with pytest.raises(journal.JournalFailed):
        held.append([record(1)])


def test_a_full_disk_leaves_room_for_the_end_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    journal_file.create(path, record(0))
    held = journal_file.FileJournal(path)
    held.append([record(1)])

    def full(descriptor: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    seq = 2
    while not held.is_full:
        held.append([record(seq, "x" * 10_000)])
        seq += 1
    held.append([record(seq, "undone")])
    assert len(journal_file.load(path)) == seq + 1


@pytest.mark.parametrize("reopened", [False, True])
def test_room_is_kept_for_the_end_of_every_instance(tmp_path: Path, reopened: bool) -> None:
    path = tmp_path / "journal"
    journal_file.create(path, record(0))
    held = journal_file.FileJournal(path)
    expanded = events.Expanded(node="copy", items={str(number): number for number in range(2000)})

    held.append([events.Record(seq=1, at=record(1).at, elapsed=0.0, event=expanded)])
    if reopened:
        held.close()
        held = journal_file.FileJournal(path)
        held.append([record(2)])

    assert path.stat().st_size > 2000 * 2048
