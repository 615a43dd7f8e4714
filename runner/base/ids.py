"""Identifiers and randomness: the only place that draws random numbers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import NewType

RunId = NewType("RunId", str)
ExportId = NewType("ExportId", str)
RestorePointId = NewType("RestorePointId", str)
SnapshotId = NewType("SnapshotId", str)

RandomBytes = Callable[[int], bytes]

# Crockford's base32 in lower case: no i, l, o, u, so ids survive being read aloud and typed.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = re.compile(rf"[{_ALPHABET}]{{8,64}}")


def random_bytes(count: int) -> bytes:
    """Return bytes from the operating system's generator; tests pass their own function instead."""
    return os.urandom(count)


def random_fraction() -> float:
    """Return a number in [0, 1) for jitter; never for anything that must not be guessed."""
    import random  # here, as below: start-up is felt at every command

    return random.random()


def base32(data: bytes, length: int) -> str:
    """Write the leading bits of `data` as `length` base32 characters (5 bits each)."""
    number = int.from_bytes(data, "big")
    bits = len(data) * 8
    if length * 5 > bits:
        raise ValueError(f"{length} characters need {length * 5} bits, got {bits}")
    return "".join(_ALPHABET[(number >> (bits - 5 * (i + 1))) & 31] for i in range(length))


def parse_base32(text: str) -> int | None:
    """Return the number that base32 characters stand for, or None if one of them is not such a character."""
    number = 0
    for character in text:
        digit = _ALPHABET.find(character)
        if digit < 0:
            return None
        number = number << 5 | digit
    return number


def new_run_id(source: RandomBytes = random_bytes) -> RunId:
    """Draw an id for a run: 8 base32 characters."""
    return RunId(base32(source(5), 8))


def is_id(text: str) -> bool:
    """Tell whether a text has the form of an id (8 to 64 base32 characters)."""
    return _ID.fullmatch(text) is not None


def token(*parts: str) -> str:
    """Hash parts into a token of 32 base32 characters: equal parts, equal token, on any machine."""
    import hashlib

    digest = hashlib.sha256("\x00".join(parts).encode()).digest()
    return base32(digest, 32)
