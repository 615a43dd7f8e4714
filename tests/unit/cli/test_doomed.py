"""A run of which is known that it fails is refused before anything runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli

DOCUMENT = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {{name: doomed}}
actions:
  backup:
    inputs:
      deep: {{type: boolean, default: false}}
      names: {{type: array, default: [a, a]}}
      facts: {{type: object, default: {{}}}}
    outputArtifacts: {artifacts}
    phases:
    - {{name: first, func: RunCommand, args: {{command: [touch, ran]}}}}
    - {phase}
"""
SKIPPED = "{name: deep, func: RunCommand, when: inputs.deep, args: {command: [echo]}, outputs: {path: {type: path}}}"


def _write(directory: Path, phase: str, artifacts: str = "{}") -> None:
    blueprints.write(directory, DOCUMENT.format(phase=phase, artifacts=artifacts))


@pytest.mark.parametrize(
    ("phase", "artifacts", "finding"),
    [
        (SKIPPED, '{a: {keyValue: {k: "{{ phases.deep.outputs.path }}"}}}', (10, "KB404")),
        (
            "{name: x, func: RunCommand, foreach: {items: inputs.names}, args: {command: [echo]}}",
            "{}",
            (13, "KB412"),
        ),
        ("{name: x, func: RunCommand, when: inputs.facts.on, args: {command: [echo]}}", "{}", (13, "KB404")),
        ('{name: x, func: RunCommand, args: {command: ["{{ inputs.facts.path }}"]}}', "{}", (13, "KB404")),
    ],
    ids=["artifact of a skipped phase", "keys", "condition", "argument"],
)
def test_what_is_bound_to_fail_is_refused_and_nothing_runs(
    cli: Cli, tmp_path: Path, phase: str, artifacts: str, finding: tuple[int, str]
) -> None:
    _write(tmp_path, phase, artifacts)

    answer = cli("exec", "blueprint.yaml")

    assert answer.code == 3
    line, code = finding
    assert re.search(rf"(?m)^blueprint\.yaml:{line}:\d+: error\[{code}\]", answer.err)
    assert cli("runs").out == ""
    assert not (tmp_path / "ran").exists()


def test_with_other_inputs_it_runs(cli: Cli, tmp_path: Path) -> None:
    _write(tmp_path, "{name: x, func: RunCommand, foreach: {items: inputs.names}, args: {command: [echo]}}")

    assert cli("exec", "blueprint.yaml", "--set", 'names=["a", "b"]').code == 0


def test_a_phase_that_may_fail_keeps_nothing_from_running(cli: Cli, tmp_path: Path) -> None:
    _write(tmp_path, '{name: x, func: RunCommand, onError: continue, args: {command: ["{{ inputs.facts.path }}"]}}')

    answer = cli("exec", "blueprint.yaml")

    assert answer.code == 0
    assert "backup complete with 1 warning" in answer.out
