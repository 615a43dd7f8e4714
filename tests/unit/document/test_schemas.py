"""The schemas themselves: valid, described for editors, free of alternatives, and in step with each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import referencing

from runner.base import resources

PATHS = sorted(path for part in (".", "outputs") for path in (resources.schemas() / part).glob("*.schema.json"))
BY_NAME = {str(path.relative_to(resources.schemas())): json.loads(path.read_text(encoding="utf-8")) for path in PATHS}
REGISTRY: referencing.Registry[Any] = referencing.Registry().with_contents(
    (schema["$id"], schema) for schema in BY_NAME.values()
)
OWN = BY_NAME["blueprint.schema.json"]
KANISTER = BY_NAME["blueprint.kanister.schema.json"]


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping inside a schema, without looking into examples."""
    if isinstance(schema, dict):
        yield schema
        for key, value in schema.items():
            if key != "examples":
                yield from _objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _objects(value)


def _properties(schema: Any) -> Iterator[tuple[str, Any]]:
    for part in _objects(schema):
        if part.get("type") in ("object", ["object", "null"]):
            yield from part.get("properties", {}).items()


def _resolved(root: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    target = part.get("$ref", "").removeprefix("#/$defs/")
    return {**_resolved(root, root["$defs"][target]), **part} if target else part


@pytest.mark.parametrize("name", BY_NAME)
def test_schema_is_valid(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(BY_NAME[name])
    assert BY_NAME[name]["$id"].endswith(name)


@pytest.mark.parametrize("name", BY_NAME)
def test_schema_has_no_alternatives_that_a_finding_could_not_name(name: str) -> None:
    assert [part for part in _objects(BY_NAME[name]) if {"anyOf", "oneOf", "not"} & part.keys()] == []


@pytest.mark.parametrize("name", BY_NAME)
def test_every_key_has_a_description(name: str) -> None:
    root = BY_NAME[name]
    lacking = [key for key, part in _properties(root) if "description" not in _resolved(root, part)]
    assert lacking == []


@pytest.mark.parametrize(
    "name",
    [
        "blueprint.schema.json",
        "blueprint.kanister.schema.json",
        "location-profile.schema.json",
        "rehearsal.schema.json",
    ],
)
def test_every_key_that_people_write_has_an_example(name: str) -> None:
    root = BY_NAME[name]
    assert [key for key, part in _properties(root) if not _resolved(root, part).get("examples")] == []


@pytest.mark.parametrize("name", BY_NAME)
def test_examples_are_valid(name: str) -> None:
    root = BY_NAME[name]
    for _, part in _properties(root):
        examples = _resolved(root, part).get("examples", ())
        for example in examples:
            whole = {**part, "$id": root["$id"], **({"$defs": root["$defs"]} if "$defs" in root else {})}
            jsonschema.Draft202012Validator(whole, registry=REGISTRY).validate(example)


def test_schema_names_are_listed_in_the_index() -> None:
    index = (resources.schemas() / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in resources.schemas().glob("*.schema.json") if f"`{path.name}`" not in index] == []


def test_keys_that_level_0_refuses_are_keys_of_level_1() -> None:
    for place in ("phase", "action"):
        own = OWN["$defs"][place]
        known = {*own["properties"], *own.get("x-later", ())}
        kanister = KANISTER["$defs"][place]
        assert set(kanister["x-level1"]) <= known
        assert known - set(kanister["properties"]) == set(kanister["x-level1"])
    own_top = {*OWN["properties"], *OWN["x-later"]}
    assert own_top - set(KANISTER["properties"]) == set(KANISTER["x-level1"])
