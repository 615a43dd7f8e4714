"""Location types: plugins are searched only for those that are not built in."""

from __future__ import annotations

import pytest

from runner.app import builtins, location_types
from runner.locations import directory
from runner.registry import registry


def test_plugins_are_loaded_only_for_a_type_that_is_not_built_in() -> None:
    loads: list[int] = []

    def tape(_spec: object) -> directory.Directory:
        return directory.Directory("/tape")

    def load() -> registry.Registry:
        loads.append(1)
        return registry.Registry(locations={**builtins.LOCATIONS, "tape": tape})

    types = location_types.LocationTypes(load)
    assert types["directory"] is builtins.LOCATIONS["directory"]
    assert loads == []
    assert types["tape"] is tape
    with pytest.raises(KeyError):
        types["tap"]
    assert sorted(types) == sorted([*builtins.LOCATIONS, "tape"])
    assert len(types) == len(builtins.LOCATIONS) + 1
