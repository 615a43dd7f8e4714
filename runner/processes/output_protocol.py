"""How a command hands outputs to the runner: marked lines among its output, or lines in a file.

A marked line holds `###Phase-output###:` and after it `{"key": "…", "value": "…"}`; what stands before the marker is an
ordinary line. In the file a line is such an object, or `key=value`. Keys are letters, digits and `_`, values are texts,
and of several outputs with one key the last wins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from runner.base import errors

MARKER = b"###Phase-output###:"
LIMIT_BYTES = 1024 * 1024

# Longer lines of ordinary output are passed on in pieces, so that memory stays bounded.
_PIECE_BYTES = 64 * 1024
# Room for escapes within a value, and for the JSON around it.
_SLACK = 8
_AROUND_BYTES = 4096
_KEY = re.compile(r"[A-Za-z0-9_]+")


class BrokenProtocol(errors.PermanentError):
    """A command wrote something that was meant as an output and is none."""

    default_code = "RT207"


class Lines:
    """Cuts a stream that arrives in pieces into lines of text, without their ends."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = bytearray()

    def feed(self, data: bytes) -> None:
        """Take a piece of the stream."""
        *complete, rest = data.split(b"\n")
        for part in complete:
            self._rest += part
            self.end_line()
        self._rest += rest
        while len(self._rest) > _PIECE_BYTES:
            self._on_line(_text(self._rest[:_PIECE_BYTES]))
            del self._rest[:_PIECE_BYTES]

    def end_line(self) -> None:
        """End the line, be it empty."""
        self._on_line(_text(self._rest))
        self._rest.clear()

    def end(self) -> None:
        """End the stream: pass on a last line that has no end."""
        if self._rest:
            self.end_line()


class OutputReader:
    """Finds outputs in the standard output of a command and passes everything else on as lines.

    A broken output is remembered and raised by `end`, so that the command is not disturbed in its work.

    Args:
        on_line: Gets each ordinary line.
        limit: How many bytes a value may have; the `outputLimit` of the phase.
        on_output: Gets each output as soon as it was read.
    """

    def __init__(
        self,
        on_line: Callable[[str], None],
        limit: int = LIMIT_BYTES,
        on_output: Callable[[str, str], None] = lambda _key, _value: None,
    ) -> None:
        self.outputs: dict[str, str] = {}
        self._lines = Lines(on_line)
        self._limit = limit
        self._on_output = on_output
        self._plain = bytearray()  # the end of an ordinary line, which may hold the beginning of a marker
        self._record: bytearray | None = None  # what followed a marker so far
        self._problem: BrokenProtocol | None = None

    def feed(self, data: bytes) -> None:
        """Take a piece of the stream."""
        *complete, rest = data.split(b"\n")
        for part in complete:
            self._take(part)
            self._end_line()
        self._take(rest)

    def end(self) -> None:
        """End the stream.

        Raises:
            BrokenProtocol: The first of what was wrong.
        """
        if self._plain or self._record is not None:
            self._end_line()
        self._lines.end()
        if self._problem is not None:
            raise self._problem

    def _take(self, part: bytes) -> None:
        if self._record is None:
            self._plain += part
            before, marker, after = self._plain.partition(MARKER)
            if marker:
                self._lines.feed(bytes(before))
                self._plain.clear()
                self._record = bytearray(after)
            else:
                passed = max(0, len(self._plain) - len(MARKER))
                self._lines.feed(bytes(self._plain[:passed]))
                del self._plain[:passed]
        elif len(self._record) <= _room(self._limit):
            self._record += part

    def _end_line(self) -> None:
        if self._record is None:
            self._lines.feed(bytes(self._plain) + b"\n")
            self._plain.clear()
            return
        self._lines.end()
        record, self._record = bytes(self._record), None
        try:
            key, value = _parse_object(record, self._limit)
        except BrokenProtocol as problem:
            self._problem = self._problem or problem
            return
        self.outputs[key] = value
        self._on_output(key, value)


def read_file(path: Path, limit: int = LIMIT_BYTES) -> dict[str, str]:
    """Read the outputs in a file that a command may have written; none if there is no file.

    Raises:
        BrokenProtocol: If a line is not an output.
    """
    outputs: dict[str, str] = {}
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return outputs
    with source:
        while line := source.readline(_room(limit) + 1):
            record = line.rstrip(b"\r\n")
            if record.startswith(b"{"):
                key, value = _parse_object(record, limit)
            elif record:
                key, value = _parse_pair(record, limit)
            else:
                continue
            outputs[key] = value
    return outputs


def _room(limit: int) -> int:
    """Return how long a record may be; what is longer is not kept, and has too long a value for certain."""
    return limit * _SLACK + _AROUND_BYTES


def _parse_object(record: bytes, limit: int) -> tuple[str, str]:
    if len(record) > _room(limit):
        raise _too_long(limit)
    try:
        parsed = json.loads(record)
    except (ValueError, RecursionError) as error:
        raise _broken("is not JSON") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("key"), str):
        raise _broken('has no "key" that is a text')
    return _checked(parsed["key"], parsed.get("value"), limit)


def _parse_pair(record: bytes, limit: int) -> tuple[str, str]:
    if len(record) > _room(limit):
        raise _too_long(limit)
    key, separator, value = record.partition(b"=")
    if not separator:
        raise _broken("is neither key=value nor a JSON object")
    try:
        return _checked(key.decode(), value.decode(), limit)
    except UnicodeDecodeError as error:
        raise _broken("is not UTF-8 text") from error


def _checked(key: str, value: object, limit: int) -> tuple[str, str]:
    if not _KEY.fullmatch(key):
        raise _broken("has a key with other characters than letters, digits and _")
    if not isinstance(value, str):
        raise _broken(f'has no "value" that is a text, for the key {key}')
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise _broken(f"has half a character in its value, for the key {key}") from error
    if size > limit:
        raise _too_long(limit, f", for the key {key}")
    return key, value


def _broken(how: str) -> BrokenProtocol:
    # The record itself is not shown: it may hold a secret output.
    return BrokenProtocol(
        f"an output that the command wrote {how}",
        hint='write {"key": "NAME", "value": "TEXT"} after the marker, on one line',
    )


def _too_long(limit: int, which: str = "") -> BrokenProtocol:
    return BrokenProtocol(
        f"an output that the command wrote is longer than the outputLimit of {limit} bytes{which}",
        hint="raise `outputLimit`, or have the command write a file and hand over its path",
    )


def _text(line: bytes | bytearray) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
