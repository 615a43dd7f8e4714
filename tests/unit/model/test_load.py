"""Documents to models, field by field."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from runner.base import errors
from runner.model import load
from runner.model.blueprint import Blueprint, Input, Level, OutputDeclaration, RetrySpec

HERE = Path(__file__).parent
FULL = (HERE / "full.yaml").read_text(encoding="utf-8")
HEAD = "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: shop}\n"


def _blueprint(text: str) -> Blueprint:
    blueprint, found = load.parse_blueprint(text, "f.yaml")
    assert found == []
    assert blueprint is not None
    return blueprint


def _codes(text: str) -> list[str]:
    blueprint, found = load.parse_blueprint(text, "f.yaml")
    assert blueprint is None
    return [finding.code for finding in found]


def test_blueprint_keeps_what_it_was_made_from() -> None:
    blueprint = _blueprint(FULL)
    assert (blueprint.level, blueprint.api_version) == (Level.OWN, "blueprint-runner.dev/v1")
    assert (blueprint.name, blueprint.description) == ("shop", "Backs up the shop.")
    assert (blueprint.text, blueprint.file) == (FULL, "f.yaml")
    assert list(blueprint.actions) == ["backup", "restore"]


def test_retry_policy_keeps_what_the_document_leaves_open() -> None:
    policies = _blueprint(FULL).retry_policies
    assert policies["cloud"] == RetrySpec(
        limit=4,
        errors=("transient", "RT206"),
        initial=timedelta(seconds=5),
        factor=2,
        maximum=timedelta(minutes=2),
        jitter=0.2,
    )
    assert policies["short"] == RetrySpec(limit=1, errors=None, initial=None, factor=None, maximum=None, jitter=None)


def test_inputs_are_typed() -> None:
    inputs = _blueprint(FULL).actions["backup"].inputs
    assert inputs["count"] == Input(
        name="count", type="integer", default=3, has_default=True, required=False, enum=(1, 3), pattern=None,
        secret=False, description="How many.", pointer="/actions/backup/inputs/count",
    )  # fmt: skip
    assert inputs["token"] == Input(
        name="token", type="string", default=None, has_default=False, required=True, enum=(), pattern="[a-z]+",
        secret=True, description="", pointer="/actions/backup/inputs/token",
    )  # fmt: skip


def test_action_has_all_its_parts() -> None:
    action = _blueprint(FULL).actions["backup"]
    assert (action.kind, action.timeout, action.pointer) == ("StatefulSet", timedelta(hours=2), "/actions/backup")
    assert action.description == "All of it."
    assert action.output_artifacts == {"dump": {"path": "{{ phases.dump.outputs.path }}"}}
    assert action.input_artifact_names == ("earlier",)
    assert (action.secret_names, action.config_map_names) == (("credentials",), ("settings",))


def test_phase_has_all_its_parts() -> None:
    phase = _blueprint(FULL).actions["backup"].phases[1]
    assert (phase.name, phase.function, phase.needs) == ("dump", "RunCommand", ("quiesce",))
    assert phase.arguments == {"command": ["make-dump", "{{ inputs.count }}"], "env": {"A": "yes"}}
    assert (phase.timeout, phase.retry) == (timedelta(minutes=15), "cloud")
    assert (phase.pointer, phase.description) == ("/actions/backup/phases/1", "Dump it.")
    assert phase.outputs == {
        "path": OutputDeclaration(
            name="path", type="path", secret=True, description="Where.", pointer="/actions/backup/phases/1/outputs/path"
        )
    }
    assert phase.revert is not None
    assert (phase.revert.function, phase.revert.arguments) == ("RunCommand", {"command": ["remove-dump"]})
    assert (phase.revert.pointer, phase.revert.timeout) == ("/actions/backup/phases/1/revert", timedelta(seconds=30))
    assert isinstance(phase.revert.retry, RetrySpec)
    assert phase.cleanup is None


def test_needs_that_are_left_out_differ_from_none_at_all() -> None:
    phases = _blueprint(FULL).actions["backup"].phases
    assert (phases[0].needs, phases[2].needs) == (None, ())


def test_defer_phase_is_called_defer_when_it_has_no_name() -> None:
    actions = _blueprint(FULL).actions
    assert actions["backup"].defer is not None
    assert actions["restore"].defer is not None
    assert (actions["backup"].defer.name, actions["restore"].defer.name) == ("defer", "tell")
    assert actions["backup"].defer.pointer == "/actions/backup/deferPhase"


def test_spans_lead_back_into_the_text() -> None:
    blueprint = _blueprint(FULL)
    key = blueprint.span("/actions/backup/phases/1/timeout", key=True)
    value = blueprint.span("/actions/backup/phases/1/timeout")
    lines = FULL.splitlines()
    assert lines[key.line - 1][key.column - 1 : key.end_column - 1] == "timeout"
    assert lines[value.line - 1][value.column - 1 : value.end_column - 1] == "15m"
    assert blueprint.span("/actions/backup/phases/1/timeout/none/such") == value
    assert blueprint.span("/nothing") == blueprint.root.span


def test_part_of_a_template_has_its_own_span() -> None:
    blueprint = _blueprint(FULL)
    pointer = "/actions/backup/phases/1/args/command/1"
    span = blueprint.part_span(pointer, 3, 15)
    assert FULL.splitlines()[span.line - 1][span.column - 1 : span.end_column - 1] == "inputs.count"
    assert span.pointer == pointer
    assert blueprint.part_span("/actions/backup", 0, 5) == blueprint.span("/actions/backup")
    assert blueprint.part_span(f"{pointer}/x", 3, 15) == blueprint.span(pointer)


def test_kanister_blueprint_loads_into_the_same_model() -> None:
    blueprint, found = load.load_blueprint(HERE / "kanister.yaml")
    assert found == []
    assert blueprint is not None
    assert (blueprint.level, blueprint.name) == (Level.KANISTER, "ledger-bp")
    backup, restore = blueprint.actions["backup"], blueprint.actions["restore"]
    assert [phase.name for phase in backup.phases] == ["stop", "dump"]
    assert backup.phases[1].objects == {
        "ledgerSecret": {
            "kind": "Secret",
            "name": "{{ .StatefulSet.Name }}-auth",
            "namespace": "{{ .StatefulSet.Namespace }}",
        }
    }
    assert backup.phases[0].arguments["replicas"] == 0
    assert backup.phases[1].arguments["podOverride"] == {"automountServiceAccountToken": False, "priority": 8}
    assert backup.output_artifacts == {"ledger": {"path": "{{ .Phases.dump.Output.path }}"}}
    assert backup.defer is not None
    assert backup.defer.name == "defer"
    assert backup.phases[0].needs is None
    assert restore.input_artifact_names == ("ledger",)
    assert restore.secret_names == ()


def test_kanister_blueprint_without_a_name_is_named_after_its_file() -> None:
    text = "apiVersion: cr.kanister.io/v1alpha1\nkind: Blueprint\nactions: {}\n"
    blueprint, _ = load.parse_blueprint(text, "somewhere/ledger.yaml")
    assert blueprint is not None
    assert blueprint.name == "ledger"


@pytest.mark.parametrize(
    ("head", "codes"),
    [
        ("apiVersion: cr.kanister.io/v1beta1\nkind: Blueprint\n", ["KB205"]),
        ("apiVersion: cr.kanister.io/v1alpha1\nkind: ActionSet\n", ["KB205"]),
        ("apiVersion: blueprint-runner.dev/v1\nkind: LocationProfile\n", ["KB205"]),
        ("kind: Blueprint\n", ["KB202"]),
        ("apiVersion: 1\nkind: [Blueprint]\n", ["KB203", "KB203"]),
        ("{}\n", ["KB202", "KB202"]),
    ],
)
def test_document_of_another_kind_is_refused(head: str, codes: list[str]) -> None:
    assert _codes(head) == codes


def test_duration_that_no_clock_can_hold_is_a_finding() -> None:
    text = HEAD + f"actions: {{backup: {{timeout: {'9' * 30}h, phases: [{{name: a, func: F}}]}}}}\n"
    assert _codes(text) == ["KB204"]


def test_pattern_that_is_too_large_to_compile_is_a_finding() -> None:
    pattern = "a{99999999999999999999}"
    text = HEAD + f'actions: {{backup: {{inputs: {{a: {{pattern: "{pattern}"}}}}, phases: [{{name: a, func: F}}]}}}}\n'
    assert _codes(text) == ["KB204"]


def test_value_that_was_refused_is_not_judged_again() -> None:
    assert _codes(HEAD + "actions: *all\n") == ["KB103"]


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError, match="no such file"):
        load.load_blueprint(tmp_path / "none.yaml")


def test_timeouts_of_nothing_are_refused() -> None:
    phase = "{name: a, func: RunCommand, timeout: 0ms}"
    assert _codes(f"{HEAD}actions: {{backup: {{timeout: 0s, phases: [{phase}]}}}}\n") == ["KB204", "KB204"]
