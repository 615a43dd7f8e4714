"""`runner schema`: what is printed for editors depends on the plugins that are installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runner.base import codes, resources
from tests.unit.cli.conftest import Cli

FUNCTION = """
from pydantic import Field
from runner.registry.args import Arguments
from runner.registry.function import Effects, function

class Whom:
    pass

class GreetArguments(Arguments):
    name: str = Field(description="Who is greeted.", examples=["Ada"])
    times: int = Field(default=1, description="How often.", examples=[2])
    whom: Whom | None = Field(default=None, description="An object of the plugin's own.", examples=[None])

@function("Greet", effects=Effects.READS, idempotent=True)
def greet(ctx, args: GreetArguments) -> None:
    "Say hello."
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package with one function that works and one that cannot be loaded."""
    information = tmp_path / "site/greeting-1.2.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1.2\n")
    points = "[runner.functions]\nGreet = schema_greeting:greet\nTape = not_there:tape\n"
    (information / "entry_points.txt").write_text(points)
    (tmp_path / "site/schema_greeting.py").write_text(FUNCTION)
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield
    sys.modules.pop("schema_greeting", None)


def blueprint(arguments: dict[str, Any]) -> dict[str, Any]:
    phase = {"name": "greet", "func": "Greet", "args": arguments}
    return {
        "apiVersion": "blueprint-runner.dev/v1",
        "kind": "Blueprint",
        "metadata": {"name": "greeting"},
        "actions": {"backup": {"phases": [phase]}},
    }


def test_without_plugins_the_schema_for_editors_is_the_one_in_its_file(cli: Cli) -> None:
    answer = cli("schema", "editor/blueprint")
    assert answer.out == (resources.schemas() / "editor/blueprint.schema.json").read_text(encoding="utf-8")
    assert answer.err == ""


def test_the_schema_for_editors_knows_the_functions_of_plugins(plugin: None, cli: Cli) -> None:
    answer = cli("schema", "editor/blueprint", "-o", "json")
    schema = answer.json
    jsonschema.Draft202012Validator.check_schema(schema)
    offered = schema["$defs"]["phase"]["properties"]["func"]["anyOf"]
    assert {"const": "Greet", "description": "Say hello."} in offered
    assert {"BackupFiles", "RunCommand"} <= {each.get("const") for each in offered}
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(blueprint({"name": "Ada", "times": "{{ inputs.times }}", "whom": {"any": "thing"}}))
    assert not validator.is_valid(blueprint({"name": "Ada", "times": []}))
    assert not validator.is_valid(blueprint({"name": "Ada", "nme": "Ada"}))


def test_a_function_whose_plugin_is_broken_is_said_to_be_left_out(plugin: None, cli: Cli) -> None:
    answer = cli("schema", "editor/blueprint")
    assert answer.code == 0
    note = 'the function "Tape" is left out, since its plugin cannot be loaded; see `runner plugins`\n'
    assert answer.err == note
    assert '"Tape"' not in answer.out


def test_a_schema_that_does_not_exist_is_refused(cli: Cli) -> None:
    answer = cli("schema", "editor")
    assert answer.code == codes.Exit.USAGE
    assert 'there is no schema "editor"' in answer.err
