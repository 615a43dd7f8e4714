"""What a command says, in the log of the run: bounded, so that a flood does not fill the disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Self

from runner.registry import context

LIMIT_LINES = 10_000
LIMIT_CHARACTERS = 4 * 1024 * 1024


class CommandLog:
    """Writes the lines of a command to the log up to a limit per attempt; at its end tells how many it dropped."""

    def __init__(self, ctx: context.PhaseContext) -> None:
        self._log = ctx.log
        self._lines = LIMIT_LINES
        self._characters = LIMIT_CHARACTERS
        self._dropped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._dropped:
            self._log.warning("command.output_dropped", count=self._dropped)

    def stream(self, name: str, tail: deque[str]) -> Callable[[str], None]:
        """Return a function that takes the lines of one stream, and keeps the last ones in `tail`."""

        def take(line: str) -> None:
            tail.append(line)
            self._write(name, line)

        return take

    def _write(self, stream: str, line: str) -> None:
        if not self._lines or len(line) > self._characters:
            self._lines = 0
            self._dropped += 1
            return
        self._lines -= 1
        self._characters -= len(line)
        self._log.info("command.output", stream=stream, line=line)
