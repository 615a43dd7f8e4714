"""Messages on the lifeline: a JSON object behind its length, so that environments of any size fit.

Part of the reaper, so it imports nothing but the standard library, and little of it.
"""

from __future__ import annotations

import json
from typing import Any

_LENGTH = 4


def frame(message: dict[str, Any]) -> bytes:
    """Write a message."""
    text = json.dumps(message).encode()
    return len(text).to_bytes(_LENGTH, "big") + text


class Frames:
    """Finds the messages in a stream that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take a piece and return the messages that it completes."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._buffer[:_LENGTH], "big")
            if len(self._buffer) < end:
                break
            messages.append(json.loads(self._buffer[_LENGTH:end]))
            del self._buffer[:end]
        return messages
