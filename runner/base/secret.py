"""Secrets as placeholders: a value that cannot be printed, compared or stored, only revealed where it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from runner.base import errors

MASK = "[secret]"


class SecretMisuse(errors.PermanentError):
    """A secret was compared, formatted into text or put where it would be stored."""

    default_code = "KB702"


class Secret:
    """A placeholder for a secret text.

    Args:
        label: Where it comes from, in words that may be shown (`inputs.password`).
        resolve: Fetches the value; called at each reveal and never before.
    """

    __slots__ = ("_resolve", "label")

    def __init__(self, label: str, resolve: Callable[[], str]) -> None:
        self.label = label
        self._resolve = resolve

    def derive(self, how: str, change: Callable[[str], str]) -> Secret:
        """Return a secret computed from this one, at reveal time only (`b64enc`, text around it)."""
        return Secret(f"{self.label} | {how}" if how else self.label, lambda: change(self._resolve()))

    def reveal(self) -> str:
        """Fetch the value. Only the call boundary (`PhaseContext.reveal`) may use this."""
        return self._resolve()

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def _refuse(self, *_: object) -> NoReturn:
        raise SecretMisuse(
            f"the secret {self.label} cannot be compared or measured",
            hint="decide with an input that is not secret",
        )

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __len__ = __bool__ = __contains__ = __iter__ = _refuse

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> NoReturn:
        raise SecretMisuse(f"the secret {self.label} cannot be stored", hint="pass it as an argument instead")
