"""A rehearsal is checked against its blueprint: what is wrong, where, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rehearsal import rehearsing

FINE = "expect: {status: succeeded}\n"


def _found(place: Path, body: str, *, action: str = "backup") -> list[tuple[str, str, str]]:
    document = rehearsing.read(place, body, action=action)
    return [(each.code, each.span.pointer, f"{each.message}; {each.hint}") for each in document.found]


def _one(place: Path, body: str, *, action: str = "backup") -> tuple[str, str, str]:
    (found,) = _found(place, body, action=action)
    return found


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (f"given: {{results: {{filess: {{}}}}}}\n{FINE}", "/given/results/filess"),
        (f"given: {{approvals: [relase]}}\n{FINE}", "/given/approvals/0"),
        (f"given: {{settle: {{fles: rerun}}}}\n{FINE}", "/given/settle/fles"),
        (f"given: {{cancel: {{after: fles}}}}\n{FINE}", "/given/cancel/after"),
        (f"given: {{crashes: [{{after: fles}}]}}\n{FINE}", "/given/crashes/0/after"),
        ("expect: {sequence: [freeze, fles]}\n", "/expect/sequence/1"),
        ("expect: {states: {fles: failed}}\n", "/expect/states/fles"),
        ("expect: {not_run: [fles]}\n", "/expect/not_run/0"),
        ("expect: {skipped: [fles]}\n", "/expect/skipped/0"),
        ("expect: {arguments: {revrt/snapshot/a: {}}}\n", "/expect/arguments/revrt~1snapshot~1a"),
        ("expect: {attempts: {fles: 1}}\n", "/expect/attempts/fles"),
        ("expect: {restorePoint: [fles]}\n", "/expect/restorePoint/0"),
        ("expect: {error: {phase: fles}}\n", "/expect/error/phase"),
        ("expect: {warnings: [{phase: clenup/freeze}]}\n", "/expect/warnings/0/phase"),
    ],
)
def test_names_that_lead_nowhere_are_found_wherever_they_stand(tmp_path: Path, body: str, pointer: str) -> None:
    code, at, said = _one(tmp_path, body)
    assert (code, at) == ("KB310", pointer)
    assert "did you mean" in said or "expected one of" in said


@pytest.mark.parametrize("name", ["snapshot/data-0", "revert/snapshot/data-0", "cleanup/freeze", "defer"])
def test_instances_undo_nodes_and_the_deferred_phase_can_be_named(tmp_path: Path, name: str) -> None:
    assert _found(tmp_path, f"expect: {{sequence: [{name}]}}\n") == []


def test_an_instance_of_a_phase_without_foreach_is_no_phase(tmp_path: Path) -> None:
    _, _, said = _one(tmp_path, "expect: {sequence: [files/a]}\n")
    assert said.endswith('phase "files" has no `foreach`, so it has no instances')


def test_where_one_node_is_meant_the_instance_has_to_be_named(tmp_path: Path) -> None:
    code, _, said = _one(tmp_path, "expect: {sequence: [snapshot]}\n")
    assert (code, said) == ("KB310", 'phase "snapshot" has an instance for each item; name one of them: snapshot/KEY')


def test_an_unknown_action_is_found(tmp_path: Path) -> None:
    code, pointer, said = _one(tmp_path, FINE, action="bckup")
    assert (code, pointer) == ("KB303", "/action")
    assert 'did you mean "backup"?' in said


def test_inputs_are_checked(tmp_path: Path) -> None:
    body = f"given: {{inputs: {{volums: [a], check: 3, password: hunter22}}}}\n{FINE}"
    assert [(code, pointer) for code, pointer, _ in _found(tmp_path, body)] == [
        ("KB511", "/given/inputs/volums"),
        ("KB512", "/given/inputs/check"),
    ]


def test_an_input_and_an_artifact_that_are_missing_are_found(tmp_path: Path) -> None:
    assert [(code, said) for code, _, said in _found(tmp_path, FINE, action="restore")] == [
        ("KB331", 'the action "restore" takes the artifact "files", which is not given; '
         "write it under given.artifactsIn: files: {KEY: VALUE}"),
        ("KB510", 'the input "target" is missing; write it under given.inputs: target'),
    ]  # fmt: skip


def test_a_secret_of_the_wrong_type_is_found_without_its_line(tmp_path: Path) -> None:
    document = rehearsing.read(tmp_path, f"given: {{inputs: {{password: 12345678}}}}\n{FINE}")
    (found,) = document.found
    assert (found.code, found.span.line) == ("KB512", 2)
    assert "12345678" not in found.message + found.hint


def test_artifacts_that_the_action_does_not_take_or_hand_on_are_found(tmp_path: Path) -> None:
    body = "given: {artifactsIn: {dump: {export: e}}}\nexpect: {artifacts: {fles: {export: e}}}\n"
    assert [(code, pointer) for code, pointer, _ in _found(tmp_path, body)] == [
        ("KB314", "/given/artifactsIn/dump"),
        ("KB331", "/expect/artifacts/fles"),
    ]


def test_an_output_that_the_function_does_not_have_is_found(tmp_path: Path) -> None:
    code, pointer, said = _one(tmp_path, f"given: {{results: {{snapshot: {{outputs: {{sizBytes: 1}}}}}}}}\n{FINE}")
    assert (code, pointer) == ("KB312", "/given/results/snapshot/outputs/sizBytes")
    assert 'did you mean "sizeBytes"?' in said


@pytest.mark.parametrize(
    ("result", "pointer", "words"),
    [
        ("freeze: {outputs: {count: many}}", "freeze/outputs/count", "must be a whole number"),
        ("files: {outputs: {files: many}}", "files/outputs/files", "cannot be what the rehearsal gives"),
        ("freeze: {found: {count: 1}}", "freeze/found", "cannot look for what it has created"),
        ("files: {error: {}, outputs: {}}", "files/outputs", "returns no outputs"),
        ("files: {error: {}, timeout: true}", "files/timeout", "has no other error"),
        ("files: {error: {kind: transient, retryable: false}}", "files/error/retryable", "is retryable"),
        ("files: {error: {code: RT999}}", "files/error/code", "no error code"),
        ("files: [{}, {error: {code: XX}}]", "files/1/error/code", "no error code"),
    ],
)  # fmt: skip
def test_results_that_cannot_be_are_found(tmp_path: Path, result: str, pointer: str, words: str) -> None:
    code, at, said = _one(tmp_path, f"given: {{results: {{{result}}}}}\n{FINE}")
    assert (code, at) == ("KB331", f"/given/results/{pointer}")
    assert words in said


def test_an_end_by_a_time_limit_needs_one(tmp_path: Path) -> None:
    blueprint = rehearsing.BLUEPRINT.replace("    timeout: 2h\n", "")
    body = f"given: {{results: {{snapshot: {{timeout: true}}, files: {{timeout: true}}}}}}\n{FINE}"
    (found,) = rehearsing.read(tmp_path, body, blueprint=blueprint).found
    assert (found.code, found.span.pointer) == ("KB331", "/given/results/snapshot/timeout")


def test_expected_arguments_that_a_function_does_not_take_are_found(tmp_path: Path) -> None:
    code, pointer, said = _one(tmp_path, "expect: {arguments: {files: {path: [a]}}}\n")
    assert (code, pointer) == ("KB502", "/expect/arguments/files/path")
    assert 'did you mean "paths"?' in said


def test_a_blueprint_that_is_not_there_is_found(tmp_path: Path) -> None:
    path = rehearsing.write(tmp_path, FINE)
    (tmp_path / "shop.yaml").unlink()
    document = rehearsing.read_again(path)
    assert [(each.code, each.span.pointer) for each in document.found] == [("KB330", "/blueprint")]


def test_a_blueprint_with_errors_is_found(tmp_path: Path) -> None:
    document = rehearsing.read(tmp_path, FINE, blueprint=rehearsing.BLUEPRINT.replace("BackupFiles", "BackupFile"))
    assert [(each.code, each.message) for each in document.found] == [
        ("KB330", f"the blueprint {tmp_path}/shop.yaml has 1 error")
    ]


def test_a_moment_that_cannot_be_is_found(tmp_path: Path) -> None:
    assert _one(tmp_path, f"given: {{time: 2026-13-01T00:00:00Z}}\n{FINE}")[:2] == ("KB204", "/given/time")


def test_all_problems_are_found_at_once_in_the_order_of_the_document(tmp_path: Path) -> None:
    body = """\
        given:
          inputs: {chekc: true}
          results: {fils: {}}
        expect:
          sequence: [freez]
        """
    lines = [each.span.line for each in rehearsing.read(tmp_path, body).found]
    assert lines == [6, 7, 9]


def test_storing_takes_nothing_but_errors(tmp_path: Path) -> None:
    code, pointer, _ = _one(tmp_path, f"given: {{restorePoint: {{outputs: {{}}}}}}\n{FINE}")
    assert (code, pointer) == ("KB201", "/given/restorePoint/outputs")


def test_errors_of_storing_are_checked(tmp_path: Path) -> None:
    body = (
        f"given: {{restorePoint: [{{error: {{code: RT999}}}}, {{error: {{kind: timeout, retryable: true}}}}]}}\n{FINE}"
    )
    assert [(code, pointer) for code, pointer, _ in _found(tmp_path, body)] == [
        ("KB331", "/given/restorePoint/0/error/code"),
        ("KB331", "/given/restorePoint/1/error/retryable"),
    ]


def test_an_action_that_exports_nothing_stores_no_restore_point(tmp_path: Path) -> None:
    body = (
        "given: {inputs: {target: /t}, artifactsIn: {files: {export: e}}, restorePoint: {error: {}}}\n"
        "expect: {status: failed}\n"
    )
    code, pointer, said = _one(tmp_path, body, action="restore")
    assert (code, pointer) == ("KB331", "/given/restorePoint")
    assert said == 'the action "restore" makes no restore point, since none of its phases exports; remove it'
