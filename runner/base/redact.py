"""Remove known secret values from text that other programs produced (their output, their errors)."""

from __future__ import annotations

import threading

from runner.base import secret

# Shorter values would blank out innocent text and reveal more than they hide.
_SHORTEST = 4


class Redactor:
    """Knows the secrets that were revealed in this process and blanks them out of text; safe from any thread."""

    def __init__(self) -> None:
        self._values: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def learn(self, value: str) -> None:
        """Remember a revealed value, and its lines, so that they never appear in text again."""
        pieces = {piece for piece in (value, *value.splitlines()) if len(piece) >= _SHORTEST}
        with self._lock:
            self._values = tuple(sorted({*self._values, *pieces}, key=len, reverse=True))

    def clean(self, text: str) -> str:
        """Return the text with every known value masked, longest first."""
        for value in self._values:
            if value in text:
                text = text.replace(value, secret.MASK)
        return text
