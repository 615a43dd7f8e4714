"""Structured log lines of a run: an event name and fields, one JSON object a line."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from typing import IO, Protocol

from runner.base import clock as clocks
from runner.base import redact


class Logger(Protocol):
    """Where library code reports what it does; `event` is a dotted name, fields are JSON values."""

    def debug(self, event: str, **fields: object) -> None:
        """Report detail that helps a maintainer."""

    def info(self, event: str, **fields: object) -> None:
        """Report progress that helps an operator."""

    def warning(self, event: str, **fields: object) -> None:
        """Report what is not as it should be, though the work goes on."""

    def bind(self, **fields: object) -> Logger:
        """Return a logger that adds these fields to each line."""


class FileLogger:
    """Writes redacted lines to one unbuffered stream; safe from any thread.

    A log is for people: what cannot be written, on a full disk say, is dropped, and never fails what it tells of.
    """

    def __init__(
        self,
        stream: IO[bytes],
        clock: clocks.Clock,
        redactor: redact.Redactor,
        bound: Mapping[str, object] | None = None,
        lock: threading.Lock | None = None,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._redactor = redactor
        self._bound = dict(bound or {})
        self._lock = lock or threading.Lock()

    def debug(self, event: str, **fields: object) -> None:
        """Write a line of level debug."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Write a line of level info."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Write a line of level warning."""
        self._write("warning", event, fields)

    def bind(self, **fields: object) -> FileLogger:
        """Return a logger on the same stream with more fields."""
        return FileLogger(self._stream, self._clock, self._redactor, {**self._bound, **fields}, self._lock)

    def _write(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        line = {"time": clocks.isoformat(self._clock.now()), "level": level, "event": event, **self._bound, **fields}
        text = self._redactor.clean(json.dumps(line, default=str, ensure_ascii=False))
        with self._lock, contextlib.suppress(OSError):
            self._stream.write(f"{text}\n".encode(errors="backslashreplace"))


class NullLogger:
    """Drops everything."""

    def debug(self, event: str, **fields: object) -> None:
        """Drop the line."""

    def info(self, event: str, **fields: object) -> None:
        """Drop the line."""

    def warning(self, event: str, **fields: object) -> None:
        """Drop the line."""

    def bind(self, **fields: object) -> NullLogger:
        """Return itself."""
        return self
