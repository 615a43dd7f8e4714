"""`runner render`: arguments for given parameters, and single templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.base import codes
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli

GOLDEN = Path(__file__).parents[2] / "golden" / "cli"
BLUEPRINT = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: shop
actions:
  backup:
    inputs:
      site: {type: string, default: north}
      volumes: {type: array, default: [data, wal]}
      deep: {type: boolean, default: false}
      password: {type: string, required: true, secret: true}
    outputArtifacts:
      sums: {keyValue: {of: "{{ phases.sum.outputs.sum | default('none') }}"}}
    phases:
    - name: login
      func: RunCommand
      args: {script: "login\\nwhoami", env: {PASSWORD: "{{ inputs.password }}"}}
      outputs: {token: {type: string, secret: true}, parts: {type: array}}
    - name: snapshot
      func: SnapshotVolume
      foreach: {items: inputs.volumes}
      args: {volume: "/dev/{{ item }}"}
      revert: {func: DeleteSnapshot, args: {snapshot: "{{ phases.snapshot.outputs.id }}"}}
    - name: sum
      func: RunCommand
      when: inputs.deep
      args: {command: [sum, "{{ inputs.site | upper }}"]}
      outputs: {sum: {type: string}}
    - name: use
      func: RunCommand
      args: {command: [use, "{{ run.id }}"], env: {TOKEN: "{{ phases.login.outputs.token }}"}}
      outputs: {code: {type: string}}
    deferPhase:
      func: RunCommand
      args: {command: [ended, "{{ phases.use.outputs.code | default(inputs.site | b64dec) }}"]}
"""
PARAMS = """\
inputs: {site: south, password: hunter2}
phases:
  login: {outputs: {token: t0ken}}
  snapshot: {each: {data: {outputs: {id: "file:data/1"}}}}
run: {id: 7kq2m9xw}
"""


@pytest.fixture
def given(tmp_path: Path) -> None:
    blueprints.write(tmp_path, BLUEPRINT)
    (tmp_path / "params.yaml").write_text(PARAMS)


@pytest.mark.usefixtures("given")
def test_every_argument_is_shown_or_said_to_be_missing(cli: Cli, golden: Callable[[Path, str], None]) -> None:
    answer = cli("render", "blueprint.yaml", "--params", "params.yaml")
    golden(GOLDEN / "render.txt", answer.out)
    assert answer.code == 0
    assert "hunter2" not in answer.out
    assert "t0ken" not in answer.out


@pytest.mark.usefixtures("given")
def test_one_phase_is_shown_with_its_undo(cli: Cli) -> None:
    found = cli("render", "blueprint.yaml", "snapshot", "--params", "params.yaml", "-o", "json").json
    assert [(call["id"], call["arguments"][0]["value"]) for call in found["calls"]] == [
        ("snapshot/data", "/dev/data"),
        ("revert/snapshot/data", "file:data/1"),
        ("snapshot/wal", "/dev/wal"),
        ("revert/snapshot/wal", "{{ phases.snapshot.outputs.id }}"),
    ]
    assert found["calls"][3]["arguments"][0]["later"] == [
        {"path": "phases.snapshot/wal", "when": "snapshot/wal has ended"}
    ]
    assert found["artifacts"] == {}


@pytest.mark.usefixtures("given")
def test_what_fails_is_said_where_it_fails_and_exits_with_3(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("phases: {use: {outputs: {}}}\n")
    answer = cli("render", "blueprint.yaml", "defer", "--params", "more.yaml")
    assert answer.code == codes.Exit.INVALID
    assert '# the filter "b64dec" failed: not the base64 form of a UTF-8 text (KB405)' in answer.out


@pytest.mark.usefixtures("given")
def test_values_on_the_command_line_win_over_those_of_the_parameters(cli: Cli) -> None:
    found = cli("render", "blueprint.yaml", "sum", "--params", "params.yaml", "--set", "site=east", "-o", "json").json
    assert found["calls"][0]["arguments"][0]["value"] == ["sum", "EAST"]


def test_an_item_may_be_given_for_items_that_are_not_known(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, BLUEPRINT.replace("items: inputs.volumes", "items: phases.login.outputs.parts"))
    (tmp_path / "item.yaml").write_text("item: wal\n")
    assert "volume: /dev/wal" in cli("render", "blueprint.yaml", "snapshot", "--params", "item.yaml").out


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    ("params", "message", "hint"),
    [
        ("inptus: {}", 'templates cannot read "inptus"', 'did you mean "inputs"?'),
        ("inputs: {sight: x}", 'there is no input "sight"', 'did you mean "site"?'),
        ("inputs: {deep: 7}", 'the input "deep" must be true or false, got 7', "write true or false"),
        ("phases: {snapshto: {}}", 'data is given of the unknown phase "snapshto"', 'did you mean "snapshot"?'),
        ("phases: [a]", "phases is not a mapping", "write one NAME: VALUE a line"),
        ("- a", "params.yaml is not a mapping of template roots to values", "write `inputs:`, `phases:`, … and what"),
    ],
)
def test_parameters_that_are_off_are_refused(cli: Cli, tmp_path: Path, params: str, message: str, hint: str) -> None:
    (tmp_path / "params.yaml").write_text(params)
    answer = cli("render", "blueprint.yaml", "--params", "params.yaml")
    assert answer.code in (codes.Exit.USAGE, codes.Exit.INVALID)
    assert message in answer.err
    assert hint in answer.err


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["--template", "{{ inputs.site | upper }}-{{ run.id }}", "--params", "params.yaml"], "SOUTH-7kq2m9xw\n"),
        (["--template", "{{ phases.login.outputs }}", "--params", "params.yaml"], '{"token": "t0ken"}\n'),
        (["--expression", "inputs.volumes", "blueprint.yaml"], '["data", "wal"]\n'),
        (["--expression", "not inputs.deep", "blueprint.yaml"], "true\n"),
        (["--template", "x{{ inputs.password }}", "blueprint.yaml", "--params", "params.yaml"], "[secret]\n"),
        (["--template", "{{ phases.login.outputs.token }}", "blueprint.yaml", "--params", "params.yaml"], "[secret]\n"),
        (["--template", "plain"], "plain\n"),
        (["--template", ""], "\n"),
        (["--expression", "1 == 1", "-o", "json"], '{\n  "value": true\n}\n'),
    ],
)
def test_a_single_template_is_rendered(cli: Cli, arguments: list[str], out: str) -> None:
    answer = cli("render", *arguments)
    assert (answer.out, answer.err, answer.code) == (out, "", 0)


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--template", "{{ time }}", "blueprint.yaml"], "error[KB404]: time is not given"),
        (["--template", "{{ inputs.site }}"], "error[KB404]: inputs.site is not defined"),
        (["--template", "{{ 'x' | uper }}"], 'error[KB402]: there is no filter "uper"'),
        (["--expression", "inputs.a >"], "error[KB401]"),
        (["--template", "x", "--expression", "y"], "error[RT101]: --template and --expression cannot be"),
        ([], "error[RT101]: there is nothing to render"),
        (["blueprint.yaml", "snapshto"], 'error[RT101]: there is no phase "snapshto"'),
    ],
)
def test_what_cannot_be_rendered_is_an_error(cli: Cli, arguments: list[str], message: str) -> None:
    answer = cli("render", *arguments)
    assert message in answer.err
    assert answer.out == ""
    assert answer.code != 0
