"""What third parties build on: the registry, the shipped test suites, and the version."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest

import runner
import runner.registry
import runner.testing

PUBLIC = sorted(
    module.name
    for package in (runner.registry, runner.testing)
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
)


def _own_names(module: types.ModuleType) -> list[tuple[str, Any]]:
    return [
        (name, value)
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
        if inspect.isclass(value) or inspect.isfunction(value)
    ]


def test_version_is_that_of_the_distribution(top: Path) -> None:
    with (top / "pyproject.toml").open("rb") as file:
        assert runner.__version__ == tomllib.load(file)["project"]["version"]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_described(name: str) -> None:
    module = importlib.import_module(name)
    assert inspect.getdoc(module)
    assert [found for found, value in _own_names(module) if not value.__doc__] == []


def test_nothing_but_tests_imports_the_shipped_test_suites(modules: list[Any]) -> None:
    importing = [
        module.place
        for module in modules
        if not module.place.startswith("runner/testing/")
        if any(
            isinstance(node, ast.ImportFrom | ast.Import)
            and "runner.testing" in ast.unparse(node).replace(" import ", ".")
            for node in ast.walk(module.tree)
        )
    ]
    assert importing == []


def test_entry_points_of_the_project_lead_to_modules(top: Path) -> None:
    with (top / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    groups = [project["scripts"], *project.get("entry-points", {}).values()]
    for module, _, name in (value.partition(":") for group in groups for value in group.values()):
        loaded = importlib.import_module(module)
        assert not name or hasattr(loaded, name)
