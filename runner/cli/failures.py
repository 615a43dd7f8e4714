"""Errors as people and programs read them, on standard error."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from runner.base import errors
from runner.base import span as spans
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.cli import console as consoles
from runner.cli import follow_ups
from runner.cli import settings as settings_module

if TYPE_CHECKING:
    from runner.base import diagnostic
    from runner.engine import events


def show(console: consoles.Console, error: errors.RunnerError) -> None:
    """Print an error in the form that `-o` asks for; findings about a document come first."""
    found = _diagnostics(error)
    if not console.is_text:
        console.err.line(json.dumps({"error": to_json(console, error)}, ensure_ascii=False))
        return
    if found:
        from runner.document import render

        console.err.line(render.text(found, colour=console.colour(console.err)).rstrip("\n"))
        return
    for line in lines(console, error):
        console.err.line(line)


def lines(console: consoles.Console, error: errors.RunnerError) -> list[str]:
    """Write an error as lines: what happened, where, what the other side said, what to do."""
    places = {"at": str(error.span)} if error.span is not None else {}
    return _lines(console, console.err, error, {**places, **error.context})


def journalled(console: consoles.Console, stream: consoles.Stream, node: str, error: events.ErrorValue) -> list[str]:
    """Write the error that a node of a run has ended with."""
    at = {} if error.position is None else {"at": "{file}:{line}:{column}".format_map(error.position)}
    return _lines(console, stream, error, {**at, **({"phase": node} if node else {}), **error.context})


def _lines(
    console: consoles.Console,
    stream: consoles.Stream,
    error: errors.RunnerError | events.ErrorValue,
    places: Mapping[str, str],
) -> list[str]:
    head = console.style(f"error[{error.code}]:", on=stream, fg="red", bold=True)
    written = [f"{head} {error.message}"]
    written += [f"  {name}: {value}" for name, value in places.items()]
    written += [f"  | {line}" for line in error.details.splitlines()]
    if error.hint:
        hint = follow_ups.complete(console.settings, error.hint)
        written.append("  " + console.style("hint:", on=stream, fg="cyan") + f" {hint}")
    return written


def to_json(console: consoles.Console, error: errors.RunnerError) -> JsonObject:
    """Return the object that `-o json` prints for an error."""
    written: dict[str, JsonValue] = {
        "code": error.code,
        "message": error.message,
        "details": error.details,
        "hint": follow_ups.complete(console.settings, error.hint),
        "retryable": error.retryable,
        "position": None if error.span is None else _position(error.span),
    }
    if error.context:
        written["context"] = dict(error.context)
    found = _diagnostics(error)
    if found:
        from runner.document import render

        written["diagnostics"] = render.to_json(found)
    return written


def from_click(error: click.UsageError) -> errors.UsageError:
    """Turn what click says about a command line into our own error."""
    hint = str(getattr(error, "hint", ""))
    command = error.ctx.command_path if error.ctx is not None else "runner"
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        hint = f"did you mean {error.possibilities[0]}?"
        message = f"{command} has no option {error.option_name}"
    elif isinstance(error, click.NoSuchOption):
        message = f"{command} has no option {error.option_name}"
    else:
        message = error.format_message().rstrip(".").replace("\n", " ")
    message = message[:1].lower() + message[1:]
    return errors.UsageError(message, hint=hint or f"see `{command} --help`")


def requested_output(arguments: Sequence[str], default: settings_module.Output) -> settings_module.Output:
    """Find out which form of output a command line asks for that could not be parsed."""
    for option, value in itertools.pairwise([*arguments, ""]):
        name, _, attached = option.partition("=")
        asked = attached if name == "--output" and attached else value if option in ("-o", "--output") else ""
        if asked in list(settings_module.Output):
            return settings_module.Output(asked)
    return default


def _position(span: spans.Span) -> Mapping[str, JsonValue]:
    return {"file": span.file, "line": span.line, "column": span.column, "pointer": span.pointer}


def _diagnostics(error: errors.RunnerError) -> Sequence[diagnostic.Diagnostic]:
    from runner.base import diagnostic

    return error.diagnostics if isinstance(error, diagnostic.InvalidDocument) else ()
