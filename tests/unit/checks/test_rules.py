from __future__ import annotations

import textwrap

import pytest

from runner.base.diagnostic import Diagnostic, Severity
from runner.checks import run
from runner.model import load
from runner.testing import sample_functions

HEADER = "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: sample}\nactions:\n  backup:\n"


def check(action: str) -> list[Diagnostic]:
    blueprint, found = load.parse_blueprint(HEADER + textwrap.indent(textwrap.dedent(action), "    "), "sample.yaml")
    assert blueprint is not None, found
    found = run.check(blueprint, sample_functions.sample_registry())
    # What is declared only so that it could be read is no matter here.
    return [each for each in found if each.code != "KB317"]


def codes(action: str) -> list[str]:
    return [found.code for found in check(action)]


def words(found: Diagnostic, action: str) -> str:
    line = (HEADER + textwrap.indent(textwrap.dedent(action), "    ")).split("\n")[found.span.line - 1]
    return line[found.span.column - 1 : found.span.end_column - 1]


PHASE = "- {name: a, func: AssertThat, args: {that: true}}"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('"{{ phases.dumpp.outputs.x }}"', "dumpp"),
        ("'it''s {{ phases.dumpp.outputs.x }}'", "dumpp"),
        ('"{{ inputs.dumpp }} {{ phases.dumpp.outputs.x }}"', "dumpp"),
        ("\"{{ phases['dum-pp'].outputs.x }}\"", "dum-pp"),
        ('"é日本 {{ phases.dumpp.outputs.x }}"', "dumpp"),
    ],
)
def test_a_finding_points_at_the_very_word(text: str, word: str) -> None:
    inputs = "inputs: {dumpp: {type: string, default: x}}\n"
    action = f"{inputs}phases:\n- {{name: a, func: RunCommand, args: {{command: [{text}]}}}}"
    (found,) = check(action)
    assert (found.code, words(found, action)) == ("KB310", word)


def test_a_reference_in_a_block_is_found_on_its_line() -> None:
    head = "phases:\n- name: a\n  func: RunCommand\n  args:\n    command:\n"
    action = head + "    - |\n      x\n\n        {{ phases.nope.outputs.x }}\n"
    (found,) = check(action)
    assert words(found, action) == "nope"


def test_keys_with_odd_characters_keep_their_place() -> None:
    action = """
        phases:
        - {name: a, func: RunCommand, args: {command: [x], env: {"a/b~c": "{{ inputs.x }}"}}}
        """
    (found,) = check(action)
    assert (found.code, words(found, action)) == ("KB313", "x")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ inputs.password }}", ["KB701"]),
        ("x{{ inputs.password | b64enc }}", ["KB701"]),
        ("{{ inputs | toJson }}", ["KB701"]),
        ("{{ phases.login.outputs.token }}", ["KB701"]),
        ("{{ phases.login.outputs | toJson }}", ["KB701"]),
        ("{{ phases.login.outputs.user }}", []),
        ("{{ inputs.user }}", []),
        ("{{ 'a' if inputs.password else 'b' }}", ["KB701", "KB702"]),
    ],
)
def test_no_secret_gets_into_an_artifact(template: str, expected: list[str]) -> None:
    action = f"""
        inputs: {{password: {{type: string, secret: true, required: true}}, user: {{type: string, default: me}}}}
        outputArtifacts: {{it: {{keyValue: {{key: "{template}"}}}}}}
        phases:
        - name: login
          func: RunCommand
          args: {{command: [login]}}
          outputs: {{token: {{type: string, secret: true}}, user: {{type: string}}}}
        """
    assert codes(action) == expected


@pytest.mark.parametrize("key", ["revert", "cleanup"])
def test_undoing_is_checked_like_a_phase(key: str) -> None:
    action = f"""
        phases:
        - name: a
          func: SnapshotVolume
          args: {{volume: v}}
          {key}: {{func: RunCommand, retry: {{limit: 1}}, args: {{comand: [x], env: {{A: "{{{{ inputs.x }}}}"}}}}}}
        """
    assert sorted(codes(action)) == ["KB313", "KB502", "KB503", "KB520"]


@pytest.mark.parametrize(
    ("key", "template", "expected"),
    [
        ("revert", "{{ phases.a.outputs.id }}", []),
        ("cleanup", "{{ phases.a.outputs.id | default('') }}", []),
        ("cleanup", "{{ phases.a.outputs.id }}", ["KB311"]),
        ("cleanup", "{{ phases.before.outputs.id }}", []),
    ],
)
def test_an_undo_reads_what_is_there_when_it_runs(key: str, template: str, expected: list[str]) -> None:
    action = f"""
        phases:
        - {{name: before, func: SnapshotVolume, args: {{volume: v}}}}
        - name: a
          func: SnapshotVolume
          needs: []
          args: {{volume: v}}
          {key}: {{func: DeleteSnapshot, args: {{snapshot: "{template}"}}}}
        """
    assert codes(action) == expected


def test_a_declared_output_type_is_known_to_the_arguments_that_read_it() -> None:
    action = """
        phases:
        - {name: count, func: RunCommand, args: {command: [x]}, outputs: {rows: {type: integer}, ok: {type: boolean}}}
        - {name: good, func: AssertThat, args: {that: "{{ phases.count.outputs.ok }}"}}
        - {name: bad, func: AssertThat, args: {that: "{{ phases.count.outputs.rows }}"}}
        - {name: size, func: AssertThat, args: {that: "{{ phases.volume.outputs.sizeBytes }}"}}
        - {name: volume, func: SnapshotVolume, needs: [], args: {volume: "{{ phases.count.outputs.rows }} rows"}}
        """
    assert [(found.code, found.span.line) for found in check(action)] == [("KB505", 10), ("KB505", 11)]


def test_an_optional_input_must_be_covered_where_it_is_read() -> None:
    inputs = "inputs: {a: {type: string}, b: {type: string, default: x}, c: {type: string, required: true}}"
    action = f"""
        {inputs}
        phases:
        - name: a
          func: RunCommand
          args:
            command: ["{{{{ inputs.a }}}}", "{{{{ inputs.a | default('') }}}}", "{{{{ inputs.b }}}}{{{{ inputs.c }}}}"]
        """
    assert codes(action) == ["KB404"]


def test_only_errors_keep_a_document_from_running() -> None:
    action = f"""
        phases:
        {PHASE}
        - {{name: b, func: SnapshotVolume, args: {{volume: v}}}}
        deferPhase: {{func: DeleteSnapshot, args: {{snapshot: "{{{{ phases.b.outputs.id }}}}"}}}}
        """
    (found,) = check(action)
    assert (found.code, found.severity) == ("KB311", Severity.WARNING)


def test_references_of_one_action_do_not_see_the_other() -> None:
    text = HEADER + "    phases:\n    " + PHASE + "\n  other:\n    phases:\n"
    text += '    - {name: b, func: RunCommand, args: {command: ["{{ phases.a.outputs.x }}"]}}\n'
    blueprint, found = load.parse_blueprint(text, "sample.yaml")
    assert blueprint is not None, found
    assert [each.code for each in run.check(blueprint, sample_functions.sample_registry())] == ["KB310"]
