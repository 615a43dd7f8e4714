"""Failed operations as exceptions: what happened, where, what to do next, and whether trying again can help.

A problem *in a document* is not an exception but a `runner.base.diagnostic.Diagnostic`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import timedelta

    from runner.base import span as spans


class RunnerError(Exception):
    """A failed operation, in the words that a person gets to read.

    Args:
        message: One sentence without a final dot.
        code: A code of `runner.base.codes`.
        details: What the other side said (already redacted), possibly several lines.
        hint: What to do next, as an imperative.
        context: Facts that place the error (action, phase, path, resource ids).
        span: The place in a document that caused it, when there is one.
    """

    default_code: ClassVar[str] = "RT900"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: str = "",
        hint: str = "",
        context: Mapping[str, str] | None = None,
        span: spans.Span | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = details
        self.hint = hint
        self.context = dict(context or {})
        self.span = span

    def __str__(self) -> str:
        return self.message


class PermanentError(RunnerError):
    """Trying again without changing something gives the same failure."""

    default_code = "RT200"


class TransientError(RunnerError):
    """The same call may succeed later.

    Args:
        message: One sentence without a final dot.
        retry_after: How long the other side asked to wait, when it did.
        **facts: As for `RunnerError`.
    """

    default_code = "RT201"
    retryable = True

    def __init__(self, message: str, *, retry_after: timedelta | None = None, **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]
        self.retry_after = retry_after


class TimedOut(RunnerError):
    """A time limit was reached before the work was done."""

    default_code = "RT202"


class Cancelled(RunnerError):
    """The work was given up because somebody asked for it."""

    default_code = "RT203"


class OutcomeUnknown(RunnerError):
    """The work was cut off without telling whether it was done: to be looked up, repeated or settled."""

    default_code = "RT210"


class UsageError(RunnerError):
    """The command line, or what it names, is off; nothing was done."""

    default_code = "RT101"


class EnvironmentProblem(PermanentError):
    """The machine lacks something: a program, a permission, space, a passphrase, a plugin."""

    default_code = "RT204"
