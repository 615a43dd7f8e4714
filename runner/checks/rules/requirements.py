"""What a blueprint requires is there: functions (KB501), capabilities of drivers (KB530), the version (KB531)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import runner
from runner.base import errors, suggest
from runner.base.diagnostic import Diagnostic
from runner.checks import scope as scopes
from runner.registry import driver


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report requirements that this runner, with what is installed, does not meet."""
    required = scope.blueprint.requires
    yield from _functions(scope, required.functions)
    yield from _capabilities(scope, required.capabilities)
    if required.runner:
        yield from _version(scope, required.runner)


def _functions(scope: scopes.Scope, names: tuple[str, ...]) -> Iterator[Diagnostic]:
    for index, name in enumerate(names):
        if scope.registry.find(name) is None:
            yield Diagnostic(
                code="KB501",
                message=f'the blueprint requires the function "{name}", which does not exist',
                span=scope.blueprint.span(f"/requires/functions/{index}"),
                hint=suggest.hint(name, scope.registry.functions, kind="function"),
            )


def _capabilities(scope: scopes.Scope, names: tuple[str, ...]) -> Iterator[Diagnostic]:
    held = dict(_held(scope)) if names else {}
    for index, name in enumerate(names):
        if name not in list(driver.Capability):
            message = f'there is no capability "{name}"'
            hint = suggest.hint(name, list(driver.Capability))
        elif not any(name in found for found in held.values()):
            message = f'no storage driver has the capability "{name}"'
            hint = f"install one that has; there are: {', '.join(held) or 'none'}"
        else:
            continue
        place = scope.blueprint.span(f"/requires/capabilities/{index}")
        yield Diagnostic(code="KB530", message=message, span=place, hint=hint)


def _held(scope: scopes.Scope) -> Iterator[tuple[str, Collection[str]]]:
    """Yield the drivers with what they can do; of one that cannot be made here, nothing is known."""
    for name, make in scope.registry.drivers.items():
        try:
            yield name, driver.capabilities(make())
        except errors.RunnerError:
            yield name, list(driver.Capability)


def _version(scope: scopes.Scope, wanted: str) -> Iterator[Diagnostic]:
    from packaging import specifiers

    place = scope.blueprint.span("/requires/runner")
    try:
        fits = specifiers.SpecifierSet(wanted).contains(runner.__version__, prereleases=True)
    except specifiers.InvalidSpecifier:
        message = f'"{wanted}" does not say which versions are meant'
        yield Diagnostic(code="KB204", message=message, span=place, hint='write it like ">=0.1" or ">=0.1, <0.3"')
        return
    if not fits:
        yield Diagnostic(
            code="KB531",
            message=f"the blueprint is for runner {wanted}, this is {runner.__version__}",
            span=place,
            hint="install a version that fits, or change what it requires",
        )
