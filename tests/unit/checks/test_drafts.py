"""Rules over documents with errors in their shape: nothing is hidden, and nothing false is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.app import validate
from runner.document import yamlread
from runner.testing import sample_functions

DOCUMENTS = sorted((Path(__file__).parents[2] / "golden" / "documents").glob("*.yaml"))
RIGHT: dict[str, Any] = {
    "apiVersion": "blueprint-runner.dev/v1",
    "kind": "Blueprint",
    "metadata": {"name": "shop"},
    "retryPolicies": {"cloud": {"limit": 2, "backoff": {"initial": "1s"}}},
    "actions": {
        "backup": {
            "timeout": "1h",
            "inputs": {"count": {"type": "string", "default": "a", "enum": ["a"]},
                       "word": {"required": True, "type": "string"}},
            "inputArtifactNames": ["earlier"],
            "phases": [
                {"name": "late", "func": "RunCommand", "needs": ["early"], "args": {
                    "command": ["echo", "{{ inputs.word }}", "{{ phases.early.outputs.size }}"]}},
                {"name": "early", "func": "RunCommand", "needs": [], "retry": "cloud",
                 "outputs": {"size": {"type": "string"}},
                 "args": {"command": ["echo", "{{ inputs.count }}", "{{ artifactsIn.earlier.x }}"],
                          "idempotent": True},
                 "revert": {"func": "RunCommand", "args": {"command": ["echo"]}}},
            ],
            "deferPhase": {"name": "end", "func": "RunCommand", "args": {"command": ["echo"]}},
        }
    },
}  # fmt: skip


def _codes(document: dict[str, Any]) -> set[str]:
    found = validate.findings(sample_functions.sample_registry(), json.dumps(document), "f.yaml")
    return {each.code for each in found}


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        if key in ("args", "apiVersion", "kind"):
            continue  # what stands in arguments is not a matter of the shape
        yield (*path, key)
        yield from _places(item, (*path, key))


def _container(document: Any, path: tuple[Any, ...]) -> Any:
    for part in path[:-1]:
        document = document[part]
    return document


def test_the_sample_has_no_findings() -> None:
    assert _codes(RIGHT) == set()


@pytest.mark.parametrize("path", list(_places(RIGHT)), ids=lambda path: "/".join(map(str, path)))
def test_one_error_in_the_shape_is_the_only_finding(path: tuple[Any, ...]) -> None:
    wrong = copy.deepcopy(RIGHT)
    _container(wrong, path)[path[-1]] = 2.5
    assert {code[:3] for code in _codes(wrong)} <= {"KB2"}


@pytest.mark.parametrize(
    "path", [path for path in _places(RIGHT) if isinstance(path[-1], str)], ids=lambda path: "/".join(map(str, path))
)
def test_one_key_that_is_no_identifier_is_the_only_finding(path: tuple[Any, ...]) -> None:
    wrong = copy.deepcopy(RIGHT)
    container = _container(wrong, path)
    container[f"{path[-1]}-x"] = container.pop(path[-1])
    assert {code[:3] for code in _codes(wrong)} == {"KB2"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_no_document_makes_the_rules_fail(path: Path) -> None:
    text, _ = yamlread.decode(path.read_bytes(), path.name)
    assert text is None or validate.findings(sample_functions.sample_registry(), text, path.name)
