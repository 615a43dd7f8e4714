"""Third-party functions, drivers and locations, found through entry points; what cannot be loaded is kept and shown."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from importlib import metadata
from typing import Any

import msgspec

from runner.base import errors
from runner.registry import function, registry

FUNCTIONS = "runner.functions"
DRIVERS = "runner.drivers"
LOCATIONS = "runner.locations"
GROUPS = (FUNCTIONS, DRIVERS, LOCATIONS)


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """One entry point, loaded or not.

    Attributes:
        name: What it provides, as a blueprint names it.
        group: One of `GROUPS`.
        distribution: The package that brings it, with its version.
        error: Why it cannot be used, with the traceback; empty when it can.
    """

    name: str
    group: str
    distribution: str
    value: str
    error: str = ""


def installed() -> list[metadata.EntryPoint]:
    """Return the entry points of all groups, in a stable order."""
    everything = metadata.entry_points()
    found = [point for group in GROUPS for point in everything.select(group=group)]
    return sorted(found, key=lambda point: (point.group, point.name, point.value))


def load(known: registry.Registry, points: Iterable[metadata.EntryPoint]) -> list[Plugin]:
    """Add what the entry points bring to the registry.

    Args:
        known: Gets a `FunctionSpec` for each function; a factory for each driver and location type.
        points: Entry points of `GROUPS`.

    Returns:
        All of them; one that fails is skipped and says why.
    """
    return [_load(known, point) for point in points]


def missing(name: str, group: str, plugins: Iterable[Plugin]) -> errors.EnvironmentProblem | None:
    """Return why a name is unknown, if a plugin would bring it and cannot be loaded."""
    for plugin in plugins:
        if plugin.error and (plugin.group, plugin.name) == (group, name):
            return errors.EnvironmentProblem(
                f'the plugin {plugin.distribution}, which brings "{name}", cannot be loaded',
                code="RT902",
                details=plugin.error.strip().rsplit("\n", 1)[-1],
                hint="see `runner plugins` for the traceback",
            )
    return None


def _load(known: registry.Registry, point: metadata.EntryPoint) -> Plugin:
    distribution = "unknown" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    error = ""
    try:
        _add(known, point, point.load(), distribution)
    except errors.RunnerError as refused:
        error = f"{refused.message}; {refused.hint}"
    except Exception:  # noqa: BLE001 - foreign code; the traceback is shown by `runner plugins`
        error = traceback.format_exc()
    return Plugin(name=point.name, group=point.group, distribution=distribution, value=point.value, error=error)


def _add(known: registry.Registry, point: metadata.EntryPoint, loaded: Any, distribution: str) -> None:
    if point.group == FUNCTIONS:
        if not isinstance(loaded, function.FunctionSpec):
            raise TypeError(f"{point.value} is not declared with @function")
        loaded.distribution = distribution
        known.add(loaded)
        return
    table: dict[str, Any] = known.drivers if point.group == DRIVERS else known.locations
    if point.name in table:
        raise errors.EnvironmentProblem(
            f"{distribution} brings {point.name}, which exists already", code="RT902", hint="uninstall one of them"
        )
    table[point.name] = loaded
