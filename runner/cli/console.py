"""The two streams of a command: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

import click

from runner.base import errors
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.cli import settings as settings_module

if TYPE_CHECKING:
    from runner.cli import displays


class Stream:
    """A text stream whose reader may leave early (`runner runs | head`) without disturbing what the runner does.

    Args:
        stream: Where the text goes.
        required: Whether it is an error when the text cannot be written for another reason.
    """

    def __init__(self, stream: IO[str], *, required: bool = False) -> None:
        if isinstance(stream, io.TextIOWrapper):
            # A sign that the terminal cannot show, or a name that is no text, must not end the command.
            stream.reconfigure(errors="backslashreplace")
        self._stream = stream
        self._required = required
        self._through: Callable[[str], None] | None = None
        self.closed = False

    @contextlib.contextmanager
    def through(self, show: Callable[[str], None]) -> Iterator[None]:
        """Hand all text to `show` for a while: a live display must place it above its bars."""
        self._through = show
        try:
            yield
        finally:
            self._through = None

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at it."""
        return self._stream.isatty()

    def write(self, text: str) -> None:
        """Write text and hand it over at once; once the reader has left, drop it.

        Raises:
            EnvironmentProblem: RT311 if it cannot be written although somebody needs it.
        """
        if self._through is not None and not self.closed:
            self._through(text.removesuffix("\n"))
            return
        self._hand_over(self._stream, text)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes as they are, as `write` does text.

        Raises:
            EnvironmentProblem: RT311 if they cannot be written although somebody needs them.
        """
        self._hand_over(self._stream.buffer, data)  # type: ignore[attr-defined]

    def _hand_over(self, stream: IO[Any], data: str | bytes) -> None:
        if self.closed:
            return
        try:
            stream.write(data)
            stream.flush()
        except OSError as error:
            self.closed = True
            # The interpreter flushes once more at exit; what is left then must have somewhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if self._required and not isinstance(error, BrokenPipeError):
                raise errors.EnvironmentProblem(
                    f"the result cannot be written to standard output: {error.strerror}",
                    code="RT311",
                    hint="send it to a place that has room",
                ) from error

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.write(text + "\n")


class Console:
    """What a command prints with.

    Args:
        settings: The global options; read at each call, since they are complete only when parsing has ended.
        out: For results.
        err: For progress, notes, warnings and errors.
        environment: For `NO_COLOR` and `TERM`.

    Attributes:
        display: The live display that is open, if one is.
    """

    def __init__(
        self,
        settings: settings_module.Settings,
        out: IO[str],
        err: IO[str],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.settings = settings
        self.out = Stream(out, required=True)
        self.err = Stream(err)
        self.display: displays.Display | None = None
        self._environment = environment

    @property
    def is_text(self) -> bool:
        """Whether results are for people."""
        return self.settings.output is settings_module.Output.TEXT

    def colour(self, stream: Stream) -> bool:
        """Tell whether a stream takes colours: a terminal, and nobody asked for none (https://no-color.org)."""
        refused = self.settings.no_color or self._environment.get("NO_COLOR") or self._environment.get("TERM") == "dumb"
        return stream.is_terminal and not refused

    def style(self, text: str, *, on: Stream | None = None, **how: bool | str) -> str:
        """Return text in a colour or weight where the stream takes it (standard output unless told)."""
        return click.style(text, **how) if self.colour(on or self.out) else text  # type: ignore[arg-type]

    def result(self, value: JsonValue, text: Callable[[], Iterable[str]]) -> None:
        """Print the one result of a command, as data or as the lines that `text` makes."""
        if self.is_text:
            for line in text():
                self.out.line(line)
        else:
            self.out.write(self._encode(value, indent=2))

    def records(self, rows: Iterable[JsonObject], table: Callable[[Sequence[JsonObject]], Iterable[str]]) -> None:
        """Print a list: one JSON object a line, one YAML document each, or the lines that `table` makes."""
        if self.is_text:
            for line in table(list(rows)):
                self.out.line(line)
            return
        for row in rows:
            separator = "---\n" if self.settings.output is settings_module.Output.YAML else ""
            self.out.write(separator + self._encode(row, indent=None))

    def note(self, text: str) -> None:
        """Tell something on standard error that is neither result nor error; `--quiet` hides it."""
        if not self.settings.quiet:
            self._tell("note", text, text)

    def warn(self, text: str) -> None:
        """Show a warning on standard error."""
        self._tell("warning", text, self.style("warning:", on=self.err, fg="yellow", bold=True) + " " + text)

    def _tell(self, kind: str, message: str, text: str) -> None:
        """Write a line, in the form that `--progress json` promises for all of standard error."""
        if self.settings.progress is not settings_module.Progress.JSON:
            self.err.line(text)
            return
        import json

        self.err.line(json.dumps({"type": kind, "message": message}, ensure_ascii=False))

    def _encode(self, value: JsonValue, indent: int | None) -> str:
        if self.settings.output is settings_module.Output.YAML:
            from runner.document import yamlwrite

            return yamlwrite.dump(value)
        import json

        return json.dumps(value, indent=indent, ensure_ascii=False) + "\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Lay out rows in columns two spaces apart; the columns whose numbers are in `right` are flush right.

    Without rows there is no header either.
    """
    cells = [list(row) for row in rows]
    if not cells:
        return []
    lines = [list(headers), *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
