"""Findings about documents: values that are collected and shown together, never raised one by one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from runner.base import errors
from runner.base import span as spans


class Severity(StrEnum):
    """How much a finding matters: an error keeps the document from running."""

    ERROR = "error"
    WARNING = "warning"


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """A second place that explains a finding (`declared here`)."""

    span: spans.Span
    message: str


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """One finding: what is wrong, where, and what to do."""

    code: str
    message: str
    span: spans.Span
    severity: Severity = Severity.ERROR
    hint: str = ""
    related: tuple[Related, ...] = ()


def in_order(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Drop repeats and sort by file, line, column and code, so that output is stable."""
    return sorted(set(found), key=lambda d: (d.span.file, d.span.line, d.span.column, d.code, d.message))


def has_errors(found: Iterable[Diagnostic]) -> bool:
    """Tell whether any finding keeps the document from running."""
    return any(d.severity is Severity.ERROR for d in found)


class InvalidDocument(errors.RunnerError):
    """Raised at a public boundary (never inside a pass) when findings keep a document from being used."""

    default_code = "RT102"

    def __init__(self, found: Iterable[Diagnostic]) -> None:
        self.diagnostics = in_order(found)
        count = sum(d.severity is Severity.ERROR for d in self.diagnostics)
        super().__init__(f"the document has {count} error{'s' if count != 1 else ''}")
