"""Secrets are found where they would be seen, with a hint that says where else they can go."""

from __future__ import annotations

import json

import pytest

from runner import functions
from runner.app import validate
from runner.registry import registry


def _findings(func: str, **arguments: object) -> list[tuple[str, str]]:
    phase = {"name": "only", "func": func, "args": arguments}
    inputs = {"password": {"type": "string", "secret": True, "required": True}}
    document = {
        "apiVersion": "blueprint-runner.dev/v1",
        "kind": "Blueprint",
        "metadata": {"name": "shop"},
        "actions": {"backup": {"inputs": inputs, "phases": [phase]}},
    }
    found = validate.findings(registry.Registry(functions.builtin()), json.dumps(document), "f.yaml")
    return [(each.code, each.hint) for each in found]


@pytest.mark.parametrize(
    ("func", "arguments", "hint"),
    [
        ("RunCommand", {"command": ["login", "{{ inputs.password }}"]}, "pass it in env or files or stdin"),
        ("RunCommand", {"script": "login {{ inputs.password | sh }}"}, "pass it in env or files or stdin"),
        ("BackupStream", {"command": ["dump", "--password={{ inputs.password }}"]}, "pass it in env or files"),
        ("RestoreStream", {"export": "x", "script": "load {{ inputs.password | b64enc }}"}, "pass it in env or files"),
        ("WaitUntil", {"script": "ping {{ inputs.password | default('') }}"}, "pass it in env or files"),
        ("Approve", {"message": "is {{ inputs.password }} right?"}, "Approve takes no secrets: leave it out"),
        ("AssertThat", {"that": True, "message": "{{ inputs }}"}, "AssertThat takes no secrets: leave it out"),
        ("BackupFiles", {"paths": ["/{{ inputs.password }}"]}, "BackupFiles takes no secrets: leave it out"),
    ],
)
def test_a_secret_that_would_be_seen_is_refused(func: str, arguments: dict[str, object], hint: str) -> None:
    assert _findings(func, **arguments) == [("KB702", hint)]


def test_a_secret_in_the_environment_is_right() -> None:
    assert _findings("RunCommand", command=["login"], env={"PASSWORD": "{{ inputs.password }}"}) == []
