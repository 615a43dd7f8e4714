"""The committed JSON Schemas of the functions, and the one for editors, are those that the argument models give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runner import functions
from runner.document import yamlread
from runner.registry import argschema, editorschema
from runner.registry.function import FunctionSpec


@pytest.mark.parametrize("spec", functions.builtin(), ids=lambda spec: spec.name)
def test_the_schema_of_a_function_is_fresh(top: Path, golden: Callable[[Path, str], None], spec: FunctionSpec) -> None:
    golden(top / "schemas" / "functions" / f"{spec.name}.schema.json", argschema.text(spec))


def test_the_schema_for_editors_is_fresh(top: Path, golden: Callable[[Path, str], None]) -> None:
    golden(top / "schemas" / "editor" / "blueprint.schema.json", editorschema.text(functions.builtin()))


def test_the_schema_for_editors_is_valid_and_takes_what_the_examples_hold(top: Path) -> None:
    schema = json.loads((top / "schemas" / "editor" / "blueprint.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    examples = list((top / "examples").glob("*/blueprint.yaml"))
    assert examples
    for path in examples:
        root, _ = yamlread.read(path.read_text(encoding="utf-8"), str(path))
        assert root is not None
        assert [error.message for error in validator.iter_errors(root.plain())] == []


@pytest.mark.parametrize("spec", functions.builtin(), ids=lambda spec: spec.name)
def test_every_argument_has_a_description_and_an_example(spec: FunctionSpec) -> None:
    properties: dict[str, Any] = json.loads(argschema.text(spec))["properties"]
    for name, part in properties.items():
        assert part["description"], name
        assert "examples" in part or "enum" in part["anyOf"][0], name


def test_no_schema_is_left_of_a_function_that_is_gone(top: Path) -> None:
    names = {path.name.removesuffix(".schema.json") for path in (top / "schemas" / "functions").iterdir()}
    assert names == {spec.name for spec in functions.builtin()}
