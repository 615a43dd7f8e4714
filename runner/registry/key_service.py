"""The contract of a key service: it holds a key that never leaves it, and with which others are wrapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from runner.base import errors


class KeyRefused(errors.EnvironmentProblem):
    """A key service did not do what it was asked for; the message says why as a clause, the hint what to do."""

    default_code = "RT423"


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of 32 bytes as only its service can read it.

    Attributes:
        key: The key of the service that wraps it, in the service's own form (an ARN, `MOUNT/NAME`).
        blob: What the service needs to give it back.
    """

    key: str
    blob: bytes


class KeyService(Protocol):
    """Wraps keys; safe to call again. Nothing is contacted before the first call."""

    @property
    def kind(self) -> str:
        """What key slots call it (`aws-kms`)."""

    def wrap(self, key: str, context: Mapping[str, str]) -> tuple[bytes, WrappedKey]:
        """Make a new key of 32 bytes; return it, plain and wrapped.

        Args:
            key: What to wrap it with, as a person names it.
            context: Bound to it: only the same opens it again.

        Raises:
            KeyRefused: If the service does not.
            UsageError: RT101 if `key` cannot be the name of one.
        """

    def unwrap(self, wrapped: WrappedKey, context: Mapping[str, str]) -> bytes:
        """Return a key that `wrap` made.

        Raises:
            KeyRefused: If the service does not.
        """
