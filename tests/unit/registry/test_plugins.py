"""Entry points: what they add, and what becomes of those that fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from runner.registry import plugins, registry

FUNCTION = """
from runner.registry.args import Arguments
from runner.registry.function import Effects, function

class NoArguments(Arguments):
    pass

@function("Greet", effects=Effects.READS, idempotent=True)
def greet(ctx, args: NoArguments) -> None:
    "Say hello."

def make_driver():
    return "driver"
"""


@pytest.fixture
def points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[metadata.EntryPoint]]:
    """Yield the entry points of an installed package that brings good and bad things."""
    (tmp_path / "greeting_plugin.py").write_text(FUNCTION)
    (tmp_path / "greeting_broken.py").write_text("import a_module_that_is_not_there\n")
    information = tmp_path / "greeting-1.2.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1.2\n")
    (information / "entry_points.txt").write_text(
        "[runner.functions]\n"
        "Greet = greeting_plugin:greet\nBad = greeting_broken:bad\nOdd = greeting_plugin:make_driver\n"
        "[runner.drivers]\ngreeter = greeting_plugin:make_driver\nfile = greeting_plugin:make_driver\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield plugins.installed()
    for name in ("greeting_plugin", "greeting_broken"):
        sys.modules.pop(name, None)


def test_functions_and_drivers_of_a_package_are_added(points: list[metadata.EntryPoint]) -> None:
    known = registry.Registry()
    plugins.load(known, points)
    assert known.get("Greet").distribution == "greeting 1.2"
    assert known.drivers["greeter"]() == "driver"  # type: ignore[comparison-overlap]


def test_one_that_fails_keeps_its_traceback_and_harms_no_other(points: list[metadata.EntryPoint]) -> None:
    known = registry.Registry()
    loaded = {plugin.name: plugin for plugin in plugins.load(known, points)}
    assert "No module named 'a_module_that_is_not_there'" in loaded["Bad"].error
    assert "Traceback" in loaded["Bad"].error
    assert loaded["Greet"].error == ""
    assert known.find("Bad") is None


def test_something_that_is_no_function_is_refused(points: list[metadata.EntryPoint]) -> None:
    loaded = {plugin.name: plugin for plugin in plugins.load(registry.Registry(), points)}
    assert "greeting_plugin:make_driver is not declared with @function" in loaded["Odd"].error


def test_a_name_that_is_taken_is_refused_and_the_first_stays(points: list[metadata.EntryPoint]) -> None:
    known = registry.Registry(drivers={"file": lambda: "mine"})  # type: ignore[dict-item, return-value]
    loaded = {plugin.name: plugin for plugin in plugins.load(known, points)}
    assert loaded["file"].error == "greeting 1.2 brings file, which exists already; uninstall one of them"
    assert known.drivers["file"]() == "mine"  # type: ignore[comparison-overlap]


def test_a_missing_name_is_traced_to_the_plugin_that_would_bring_it(points: list[metadata.EntryPoint]) -> None:
    loaded = plugins.load(registry.Registry(), points)
    problem = plugins.missing("Bad", plugins.FUNCTIONS, loaded)
    assert problem is not None
    assert problem.code == "RT902"
    assert problem.details == "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"
    assert plugins.missing("Greet", plugins.FUNCTIONS, loaded) is None
    assert plugins.missing("Bad", plugins.DRIVERS, loaded) is None
