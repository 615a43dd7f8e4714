"""Checking documents against a schema: rules that the golden pairs do not show."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runner.document import schema, yamlread

HEAD = "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: shop}\n"


def _found(phase: str) -> list[tuple[str, str]]:
    text = HEAD + f"actions: {{backup: {{phases: [{phase}]}}}}\n"
    root, found = yamlread.read(text, "f.yaml")
    assert found == []
    assert root is not None
    return [(d.code, d.message) for d in schema.validate(root, "blueprint.schema.json")]


@pytest.mark.parametrize("value", ['"{{ inputs.count }}"', "3", "{a: [1, {b: null}]}", '"text"'])
def test_arguments_are_left_to_the_function(value: str) -> None:
    assert _found(f"{{name: a, func: F, args: {{count: {value}}}}}") == []


def test_name_with_a_line_break_at_its_end_is_no_identifier() -> None:
    assert _found('{name: "a\\n", func: F}') == [("KB204", '"a\\n" is not an identifier')]


@pytest.mark.parametrize("duration", ["30s", "1h30m", "1.5h", "250ms", "10µs"])
def test_duration_in_the_form_of_go_is_accepted(duration: str) -> None:
    assert _found(f'{{name: a, func: F, timeout: "{duration}"}}') == []


@pytest.mark.parametrize("duration", ["30", "-5s", "5 s", "5d", "1h30", "s", "5s\\n"])
def test_other_durations_are_refused(duration: str) -> None:
    assert [code for code, _ in _found(f'{{name: a, func: F, timeout: "{duration}"}}')] == ["KB204"]


def test_retry_is_judged_as_what_it_is() -> None:
    assert _found("{name: a, func: F, retry: cloud}") == []
    assert _found("{name: a, func: F, retry: {limit: 2}}") == []
    assert _found("{name: a, func: F, retry: 3}") == [
        ("KB203", '"retry" must be a mapping or a text, not the number 3')
    ]
    assert _found("{name: a, func: F, retry: {limit: many}}") == [
        ("KB203", '"limit" must be a whole number, not the text "many"')
    ]


def test_misspelt_key_is_one_finding_not_two() -> None:
    assert [code for code, _ in _found("{name: a, fnc: F}")] == ["KB201"]


def test_long_value_is_cut_in_the_message() -> None:
    [(_, message)] = _found(f"{{name: a, func: F, timeout: {'x' * 1000}}}")
    assert len(message) < 100


def test_validator_is_imported_on_first_use_only() -> None:
    code = "import sys, runner.document.schema, runner.model.load; sys.exit('jsonschema' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
