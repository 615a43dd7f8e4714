"""What comes with the runner: functions, storage drivers and location types, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.base.jsonvalue import JsonObject
from runner.locations import directory as directories
from runner.locations import object_clients, urls
from runner.registry import driver, location

if TYPE_CHECKING:
    from runner.registry import registry


def registry_of_builtins() -> registry.Registry:
    """Return a fresh registry of everything built in."""
    # Here: the functions take longer to import than most commands that need none of them take to run.
    from runner import functions
    from runner.registry import registry

    return registry.Registry(
        functions.builtin(),
        drivers={
            "file": _file_driver,
            "memory": _memory_driver,
            "qcow2": _qcow2_driver,
        },
        locations=LOCATIONS,
    )


def _file_driver() -> driver.SnapshotDriver:
    from runner.storage.file import driver as file_driver

    return file_driver.FileDriver()


def _memory_driver() -> driver.SnapshotDriver:
    from runner.storage.memory import driver as memory_driver

    return memory_driver.shared()


def _qcow2_driver() -> driver.SnapshotDriver:
    from runner.storage.qcow2 import driver as qcow2_driver

    return qcow2_driver.Qcow2Driver()


def _directory(spec: JsonObject) -> location.Location:
    most = spec.get("maxUsedPercent")
    limit = int(most) if isinstance(most, int) else directories.MAX_USED_PERCENT
    return directories.Directory(str(spec["path"]), max_used_percent=limit)


def _memory(spec: JsonObject) -> location.Location:
    return urls.open_url(f"memory://{spec['path']}")


LOCATIONS: Mapping[str, location.Factory] = {
    "directory": _directory,
    "memory": _memory,
    **dict.fromkeys(object_clients.SCHEMES.values(), object_clients.open_spec),
}
