"""Passphrases that the runner makes itself: so random that nobody guesses them, however little a guess costs."""

from __future__ import annotations

from runner.base import ids

_PREFIX = "generated-"
_LENGTH = 32


def passphrase(random: ids.RandomBytes = ids.random_bytes) -> str:
    """Return a passphrase of 160 random bits, which shows by its form that it is one."""
    return _PREFIX + ids.base32(random(20), _LENGTH)


def is_passphrase(text: str) -> bool:
    """Tell whether a passphrase has that form."""
    drawn = text.removeprefix(_PREFIX)
    return drawn != text and len(drawn) == _LENGTH and ids.is_id(drawn)
