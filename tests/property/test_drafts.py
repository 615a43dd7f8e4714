"""What the YAML reader refuses hides nothing elsewhere in a document, and makes up nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.app import validate
from runner.base.diagnostic import Diagnostic
from runner.testing import sample_functions
from tests import effort

REGISTRY = sample_functions.sample_registry()
DOCUMENT: dict[str, Any] = {
    "apiVersion": "blueprint-runner.dev/v1",
    "kind": "Blueprint",
    "metadata": {"name": "shop"},
    "retryPolicies": {"cloud": {"limit": 2, "backoff": {"initial": "1s"}}},
    "actions": {
        "backup": {
            "timeout": "1h",
            "inputs": {
                "count": {"type": "string", "default": "a", "enum": ["a"]},
                "args": {"required": True, "type": "string"},
                "mode": {"type": "integer", "default": 1},
                "key": {"type": "string", "secret": True, "required": True},
            },
            "inputArtifactNames": ["earlier"],
            "outputArtifacts": {"dump": {"keyValue": {"size": "{{ phases.early.outputs.size }}"}}},
            "phases": [
                {"name": "late", "func": "RunCommand", "needs": ["early"], "args": {
                    "command": ["echo", "{{ inputs.args }}", "{{ phases.early.outputs.size }}"],
                    "env": {"KEY": "{{ inputs.key }}"}}},
                {"name": "early", "func": "RunCommand", "needs": [], "retry": "cloud", "timeout": "1m",
                 "outputs": {"size": {"type": "string"}},
                 "args": {"command": ["echo", "{{ inputs.count }}", "{{ artifactsIn.earlier.x }}"],
                          "idempotent": True},
                 "revert": {"func": "RunCommand", "args": {"command": ["echo", "{{ inputs.mode }}"]}},
                 "cleanup": {"func": "RunCommand", "args": {"script": "true"}}},
                {"name": "last", "func": "RunCommand", "args": {"script": "echo '{{ phases.late.outputs }}'"}},
            ],
            "deferPhase": {"name": "end", "func": "RunCommand", "args": {"command": ["echo"]}},
        },
        "restore": {"phases": [{"name": "only", "func": "RunCommand", "args": {"script": "{{ inputs.nothing }}"}}]},
    },
}  # fmt: skip
Path = tuple[Any, ...]


def _places(value: Any, path: Path = ()) -> Iterator[Path]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        yield (*path, key)
        yield from _places(item, (*path, key))


PLACES = [path for path in _places(DOCUMENT) if path[0] not in ("apiVersion", "kind")]
KEYS = [path for path in PLACES if isinstance(path[-1], str)]
# Where, and what happens there.
INJURIES = st.one_of(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(["alias", "anchor"])),
    st.tuples(st.sampled_from(KEYS), st.sampled_from(["merge", "alias key", "list key", "twice", "other first"])),
)


def _written(value: Any, injuries: dict[Path, str], path: Path = ()) -> str:
    """Write a value in one line of YAML, with injuries."""
    if isinstance(value, list):
        return f"[{', '.join(_marked(item, injuries, (*path, index)) for index, item in enumerate(value))}]"
    if isinstance(value, dict):
        entries = (_entry(key, item, injuries, (*path, key)) for key, item in value.items())
        return f"{{{', '.join(entries)}}}"
    return json.dumps(value)


def _marked(value: Any, injuries: dict[Path, str], path: Path) -> str:
    match injuries.get(path):
        case "alias":
            return "*a"
        case "anchor":
            return f"&a {_written(value, injuries, path)}"
    return _written(value, injuries, path)


def _entry(key: str, value: Any, injuries: dict[Path, str], path: Path) -> str:
    written = _marked(value, injuries, path)
    match injuries.get(path):
        case "merge":
            return "<<: *a"  # the entry itself is in what is merged
        case "alias key":
            return f"*a : {written}"
        case "list key":
            return f"? [{key}] : {written}"
        case "twice":
            return f'"{key}": {written}, "{key}": 2.5'
        case "other first":
            return f'"{key}": {json.dumps("other") if isinstance(value, str) else 2.5}, "{key}": {written}'
    return f'"{key}": {written}'


def _pointer(path: Path) -> str:
    return "".join(f"/{part}" for part in path)


def _findings(document: Any, injuries: dict[Path, str]) -> list[Diagnostic]:
    return validate.findings(REGISTRY, _written(document, injuries), "f.yaml")


def _facts(found: list[Diagnostic]) -> set[tuple[str, str]]:
    return {(each.code, each.span.pointer) for each in found if not each.code.startswith("KB1")}


def _around(found: set[tuple[str, str]], injuries: dict[Path, str]) -> set[tuple[str, str]]:
    """Leave out what is found at an injury, or in it."""
    hurt = [_pointer(path) for path in injuries]
    return {each for each in found if not any(f"{each[1]}/".startswith(f"{place}/") for place in hurt)}


@st.composite
def _documents(draw: st.DrawFn) -> Any:
    """Return the document, perhaps with an error in its shape or in a name."""
    document = copy.deepcopy(DOCUMENT)
    path = draw(st.none() | st.sampled_from(PLACES))
    if path is None:
        return document
    container = document
    for part in path[:-1]:
        container = container[part]
    if draw(st.booleans()) and isinstance(container, dict):
        container[f"{path[-1]}{draw(st.sampled_from(['x', '-x']))}"] = container.pop(path[-1])
    else:
        container[path[-1]] = draw(st.sampled_from([2.5, "other", []]))
    return document


@settings(max_examples=effort.examples(60))
@given(_documents(), st.lists(INJURIES, max_size=3))
def test_what_is_refused_makes_up_no_finding(document: Any, hurt: list[tuple[Path, str]]) -> None:
    injuries = dict(hurt)
    found = _around(_facts(_findings(document, injuries)), injuries)
    assert found <= _facts(_findings(document, {}))
