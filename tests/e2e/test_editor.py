"""An editor with the YAML language server completes, explains and checks blueprints by our schema."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner.base import resources
from tests.e2e import language_server

pytestmark = [pytest.mark.server("yaml-language-server"), pytest.mark.timeout(300)]

HEAD = (
    "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: notes}\nactions:\n  backup:\n    phases:\n"
)
FILES = HEAD + "    - name: copy\n      func: BackupFiles\n"


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[language_server.Client]:
    schema = resources.schemas() / "editor" / "blueprint.schema.json"
    with language_server.serving(schema, tmp_path_factory.mktemp("editor")) as client:
        yield client


def test_a_phase_is_offered_its_keys(editor: language_server.Client) -> None:
    offered = editor.completions(FILES + "      f¦\n")
    assert {"foreach", "when", "onError", "needs", "args"} <= offered.keys()
    assert "name" not in offered
    assert "once for each item" in str(offered["foreach"])


def test_func_is_offered_the_functions_with_what_they_do(editor: language_server.Client) -> None:
    offered = editor.completions(HEAD + "    - name: copy\n      func: ¦\n")
    assert {"BackupFiles", "RunCommand", "Approve"} <= offered.keys()
    assert "Back up files and directories" in str(offered["BackupFiles"])


@pytest.mark.parametrize(
    ("phase", "offered", "others"),
    [
        ("func: BackupFiles\n      args:\n        ¦\n", {"paths", "exclude", "unreadable"}, {"command", "env"}),
        ("func: RunCommand\n      args:\n        c¦\n", {"command", "script", "env"}, {"paths"}),
        (
            "func: SnapshotVolume\n      revert:\n        func: DeleteSnapshot\n        args:\n          ¦\n",
            {"snapshot"},
            {"volume"},
        ),
    ],
    ids=["files", "command", "revert"],
)
def test_args_are_offered_the_arguments_of_the_function(
    editor: language_server.Client, phase: str, offered: set[str], others: set[str]
) -> None:
    found = editor.completions(f"{HEAD}    - name: a\n      {phase}").keys()
    assert offered <= found
    assert not others & found


@pytest.mark.parametrize(
    ("line", "explanation"),
    [
        ("wh¦en: inputs.wanted", "when it is false, the phase is skipped"),
        ("onErr¦or: continue", "What a failure of the phase means"),
        ("args: {pa¦ths: [/srv]}", "Files and directories, as absolute paths"),
    ],
)
def test_hovering_explains_a_key(editor: language_server.Client, line: str, explanation: str) -> None:
    assert explanation in editor.hover(f"{FILES}      {line}\n")


def test_a_key_has_an_example_when_hovered(editor: language_server.Client) -> None:
    assert "inputs.verify" in editor.hover(f"{FILES}      wh¦en: inputs.wanted\n")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("args: {paths: [/srv]}", []),
        ('args: {paths: "{{ inputs.paths }}"}', []),
        ("arg: {paths: [/srv]}", [(9, "Property arg is not allowed.")]),
        ("args: {path: [/srv]}", [(9, 'Missing property "paths".'), (9, "Property path is not allowed.")]),
        ('args: {paths: "/srv"}', [(9, 'Incorrect type. Expected "array".')]),
    ],
)
def test_what_is_wrong_is_found_while_it_is_written(
    editor: language_server.Client, line: str, found: list[tuple[int, str]]
) -> None:
    assert editor.diagnostics(f"{FILES}      {line}\n") == found


def test_a_function_of_a_plugin_is_no_error(editor: language_server.Client) -> None:
    assert editor.diagnostics(HEAD + "    - {name: tape, func: TapeBackup, args: {drive: 3}}\n") == []
