"""A location that may only be read, whatever its credentials would allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from runner.base import errors
from runner.locations import wrapper
from runner.registry import location


class ReadOnly(wrapper.Wrapper):
    """Hands on what reads, and refuses what writes before the location inside hears of it."""

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Refuse."""
        self._refuse()

    def delete(self, name: str) -> None:
        """Refuse."""
        self._refuse()

    def sweep(self) -> int:
        """Leave everything."""
        return 0

    def _refuse(self) -> NoReturn:
        raise refusal(self.url)


def refusal(place: str) -> errors.EnvironmentProblem:
    """Return what to say to who would write to a location."""
    return errors.EnvironmentProblem(
        f"the location {place} may only be read",
        code="RT311",
        hint="its profile says readOnly: true; use another location for what writes",
    )
