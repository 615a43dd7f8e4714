"""The journal of a run: the contract, and the form of a record on disk.

A record is one line, `SEQ SP CRC32C SP JSON LF`: the number in decimal, the checksum of `SEQ SP JSON` as eight
hexadecimal digits. JSON never holds a zero byte or a line feed, so whatever does was not written completely. Each
record says how many records were durable (`flushed`) when it was written: that tells damage from a cut-off write, whose
pages may have reached the disk in any order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Protocol

import crc32c

from runner.base import errors
from runner.engine import events, records


class JournalDamaged(errors.PermanentError):
    """The journal holds something that no runner wrote, or acknowledged records are gone."""

    default_code = "RT213"


class JournalFailed(errors.PermanentError):
    """The journal could not be written or flushed; its driver must stop at once and must not try again.

    After a failed flush nobody knows what is on the disk: the kernel may have dropped the pages and say so only once.
    """

    default_code = "RT214"


class Journal(Protocol):
    """Append-only records of one run; one writer at a time, held by the run's lock."""

    @property
    def is_full(self) -> bool:
        """Whether there is space only for ending the run, not for going on with it."""

    def append(self, records: Iterable[events.Record]) -> None:
        """Add records and return when they are durable.

        Raises:
            JournalFailed: RT214; nothing may be appended after that.
        """

    def close(self) -> None:
        """Release the file."""


def encode(record: events.Record, flushed: int) -> bytes:
    """Write one record as a line; `flushed` records before it are durable."""
    value = {**records.to_json(record), "flushed": flushed}
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # What is no UTF-8 (a message of another program, say) becomes an escape of JSON, and comes back as it was.
    text = f"{record.seq} {body}".encode(errors="backslashreplace")
    number, _, rest = text.partition(b" ")
    return b"%b %08x %b\n" % (number, crc32c.crc32c(text), rest)


def decode(line: bytes, seq: int) -> tuple[events.Record, int]:
    """Read one line (with its line feed): the record, and how many were durable when it was written.

    Raises:
        ValueError: If it is not the record of that number, whole and unchanged.
    """
    number, _, rest = line.partition(b" ")
    checksum, _, body = rest.rstrip(b"\n").partition(b" ")
    if number != b"%d" % seq or not line.endswith(b"\n"):
        raise ValueError("not the next record")
    if checksum != b"%08x" % crc32c.crc32c(number + b" " + body):
        raise ValueError("wrong checksum")
    value = json.loads(body)
    flushed: int = value.pop("flushed")
    return records.from_json(seq, value), flushed


def read(data: bytes) -> tuple[list[events.Record], int]:
    """Read all records of a journal's content.

    What follows the last whole record may be the remains of a write that was cut off: it was never acknowledged, so it
    is dropped. It is told from damage by its content, since a cut-off write leaves zero bytes or an unfinished line.

    Returns:
        The records, and the offset behind the last of them.

    Raises:
        JournalDamaged: If a complete line is not the record that belongs there.
    """
    records: list[events.Record] = []
    offset = 0
    while offset < len(data) and data[offset]:
        end = data.find(b"\n", offset) + 1
        if not end or b"\0" in data[offset:end]:
            break
        try:
            records.append(decode(data[offset:end], len(records))[0])
        except ValueError as error:
            raise _damaged(len(records), offset, str(error)) from error
        offset = end
    _refuse_later_records(data, offset, len(records))
    return records, offset


def _refuse_later_records(data: bytes, offset: int, seq: int) -> None:
    """Refuse a gap that a later record proves to have been durable: that is damage and not a cut-off write."""
    for line in data[offset:].split(b"\n")[1:]:
        text = line.strip(b"\0")
        number = text.partition(b" ")[0]
        if not number.isdigit():
            continue
        try:
            _, flushed = decode(text + b"\n", int(number))
        except ValueError:
            continue
        if flushed > seq:
            raise _damaged(seq, offset, f"record {int(number)} was written after it")


def _damaged(seq: int, offset: int, why: str) -> JournalDamaged:
    return JournalDamaged(
        f"record {seq} of the journal is damaged (byte {offset}: {why})",
        hint="restore the run's directory from a copy, or give the run up and start a new one",
    )
