"""The registry object: functions, drivers and location types by name. Built by `runner.app`, small ones by tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from runner.base import errors, suggest
from runner.registry import driver, location

if TYPE_CHECKING:
    from runner.registry import function

DriverFactory: TypeAlias = Callable[[], driver.SnapshotDriver]


class Registry:
    """Holds what blueprints may name. A name that comes twice is refused, naming both distributions."""

    def __init__(
        self,
        functions: Iterable[function.FunctionSpec] = (),
        drivers: Mapping[str, DriverFactory] | None = None,
        locations: Mapping[str, location.Factory] | None = None,
    ) -> None:
        self._functions: dict[str, function.FunctionSpec] = {}
        self.drivers = dict(drivers or {})
        self.locations = dict(locations or {})
        for spec in functions:
            self.add(spec)

    def add(self, spec: function.FunctionSpec) -> None:
        """Register a function.

        Raises:
            EnvironmentProblem: RT902 if its name is taken.
        """
        held = self._functions.get(spec.name)
        if held is not None:
            raise errors.EnvironmentProblem(
                f"{spec.distribution} and {held.distribution} both bring a function {spec.name}",
                code="RT902",
                hint="uninstall one of them",
            )
        self._functions[spec.name] = spec

    @property
    def functions(self) -> Mapping[str, function.FunctionSpec]:
        """All functions by name, in alphabetical order."""
        return dict(sorted(self._functions.items()))

    def find(self, name: str) -> function.FunctionSpec | None:
        """Return a function by name, or None."""
        return self._functions.get(name)

    def get(self, name: str) -> function.FunctionSpec:
        """Return a function by name.

        Raises:
            EnvironmentProblem: KB501 with the closest names (on resume: a plugin that is not installed any more).
        """
        spec = self._functions.get(name)
        if spec is None:
            raise errors.EnvironmentProblem(
                f'there is no function "{name}"', code="KB501", hint=suggest.hint(name, self._functions)
            )
        return spec
