"""The committed JSON Schemas of the functions are those that their argument models give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner import functions
from runner.registry import argschema
from runner.registry.function import FunctionSpec


@pytest.mark.parametrize("spec", functions.builtin(), ids=lambda spec: spec.name)
def test_the_schema_of_a_function_is_fresh(top: Path, golden: Callable[[Path, str], None], spec: FunctionSpec) -> None:
    golden(top / "schemas" / "functions" / f"{spec.name}.schema.json", argschema.text(spec))


def test_no_schema_is_left_of_a_function_that_is_gone(top: Path) -> None:
    names = {path.name.removesuffix(".schema.json") for path in (top / "schemas" / "functions").iterdir()}
    assert names == {spec.name for spec in functions.builtin()}
