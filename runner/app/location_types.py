"""Location types by name, for opening locations: those of plugins are loaded only when a name is not built in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from runner.app import builtins
from runner.registry import location

if TYPE_CHECKING:
    from runner.registry import registry


class LocationTypes(Mapping[str, location.Factory]):
    """All location types.

    Args:
        load: Returns the registry with everything that plugins bring, which takes a while the first time.
    """

    def __init__(self, load: Callable[[], registry.Registry]) -> None:
        self._load = load

    def __getitem__(self, name: str) -> location.Factory:
        return builtins.LOCATIONS.get(name) or self._load().locations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load().locations)

    def __len__(self) -> int:
        return len(self._load().locations)
