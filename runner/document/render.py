"""Findings as text for people, as JSON for programs, and as annotations for GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from runner.base import diagnostic, errors
from runner.base import span as spans
from runner.base.diagnostic import Diagnostic, Severity
from runner.base.jsonvalue import JsonObject
from runner.document import excerpt, source, yamlread

MOST = 50
_STYLES = {"error": "1;31", "warning": "1;33", "hint": "36", "note": "36", "place": "1"}


class _Paint(msgspec.Struct, frozen=True):
    """Puts colours around texts, or not."""

    colour: bool

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour else text


def text(found: Iterable[Diagnostic], sources: Mapping[str, str] | None = None, *, colour: bool = False) -> str:
    """Write findings for people: place, message, the line with carets, hint and notes.

    Args:
        found: The findings; order and repeats do not matter.
        sources: Texts of the files by name, for excerpts; without it the files are read again.
        colour: Whether to use ANSI colours.
    """
    ordered = diagnostic.in_order(found)
    shown = ordered[:MOST]
    if sources is None:
        sources = _read_again(span.file for finding in shown for span in _spans(finding))
    files = {name: source.SourceFile(name, content) for name, content in sources.items()}
    parts = [_finding(finding, files, _Paint(colour)) for finding in shown]
    if len(ordered) > MOST:
        parts.append(f"… and {len(ordered) - MOST} more\n")
    return "\n".join(parts)


def to_json(found: Iterable[Diagnostic]) -> Sequence[JsonObject]:
    """Turn findings into the objects that `schemas/diagnostics.schema.json` describes."""
    return [
        {
            "code": finding.code,
            "severity": finding.severity.value,
            "message": finding.message,
            "hint": finding.hint,
            "position": position(finding.span),
            "related": [{"message": note.message, "position": position(note.span)} for note in finding.related],
        }
        for finding in diagnostic.in_order(found)
    ]


def position(span: spans.Span) -> JsonObject:
    """Turn a place into the `position` object of all JSON outputs."""
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
        "pointer": span.pointer,
    }


def github(found: Iterable[Diagnostic]) -> str:
    """Write findings as workflow commands, which GitHub shows beside the lines of a pull request."""
    lines = []
    for finding in diagnostic.in_order(found):
        span = finding.span
        facts = {"file": span.file, "line": span.line, "endLine": span.end_line, "title": finding.code}
        if span.line == span.end_line:
            facts |= {"col": span.column, "endColumn": max(span.end_column - 1, span.column)}
        properties = ",".join(f"{key}={_escape_property(str(value))}" for key, value in facts.items())
        message = finding.message + (f"\nhint: {finding.hint}" if finding.hint else "")
        lines.append(f"::{finding.severity.value} {properties}::{_escape(message)}\n")
    return "".join(lines)


def _spans(finding: Diagnostic) -> Iterator[spans.Span]:
    yield finding.span
    yield from (note.span for note in finding.related)


def _read_again(files: Iterable[str]) -> Mapping[str, str]:
    texts = {}
    for file in set(files):
        try:
            content, _ = yamlread.read_file(Path(file))
        except errors.UsageError:
            continue  # not every document is a file; the finding is shown without an excerpt then
        if content is not None:
            texts[file] = content
    return texts


def _finding(finding: Diagnostic, files: Mapping[str, source.SourceFile], paint: _Paint) -> str:
    kind = "error" if finding.severity is Severity.ERROR else "warning"
    head = f"{paint('place', f'{finding.span}:')} {paint(kind, f'{kind}[{finding.code}]:')}"
    lines = [f"{head} {excerpt.printable(finding.message)}"]
    lines += _shown(finding.span, files, paint, kind)
    if finding.hint:
        lines.append(f"      {paint('hint', 'hint:')} {excerpt.printable(finding.hint)}")
    for note in finding.related:
        lines.append(f"      {paint('note', 'note:')} {excerpt.printable(note.message)} ({note.span})")
        lines += _shown(note.span, files, paint, "note")
    return "\n".join(lines) + "\n"


def _shown(span: spans.Span, files: Mapping[str, source.SourceFile], paint: _Paint, style: str) -> list[str]:
    if span.file not in files:
        return []
    line, carets = excerpt.excerpt(files[span.file], span)
    return [f"{span.line:5} | {line}", f"{'':5} | {carets[: -len(carets.lstrip())]}{paint(style, carets.lstrip())}"]


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
