"""Remove known secret values from text that other programs produced (their output, their errors)."""

from __future__ import annotations

import json
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
        """Remember a revealed value, its lines, and both as JSON writes them, so that text never shows them again."""
        plain = {piece for piece in (value, *value.splitlines()) if len(piece) >= _SHORTEST}
        pieces = plain | {json.dumps(piece, ensure_ascii=ascii)[1:-1] for piece in plain for ascii in (True, False)}
        with self._lock:
            self._values = tuple(sorted({*self._values, *pieces}, key=len, reverse=True))

    def clean(self, text: str) -> str:
        """Return the text with every known value masked, longest first."""
        for value in self._values:
            if value in text:
                text = text.replace(value, secret.MASK)
        return text
