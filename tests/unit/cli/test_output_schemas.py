"""What commands print with `-o json` has the shape that its schema describes, and every command has a schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click
import jsonschema
import pytest
import referencing

from runner.base import resources
from runner.cli import main
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli import sample_rehearsals as rehearsals
from tests.unit.cli.conftest import Cli

SCHEMAS = {
    str(path.relative_to(resources.schemas())): json.loads(path.read_text(encoding="utf-8"))
    for path in resources.schemas().rglob("*.schema.json")
}
REGISTRY: referencing.Registry[Any] = referencing.Registry().with_contents(
    (schema["$id"], schema) for schema in SCHEMAS.values()
)
RUN = "7kq2m9xw"
Prints: TypeAlias = Callable[..., list[Any]]

# Commands whose result is one that others have too; every other command has a schema of its own in `outputs/`.
SHARED = {
    "cancel": "run-result",
    "approve": "run-result",
    "exec": "run-result",
    "plan": "plan",
    "resume": "run-result",
    "show": "run-result",
    "validate": "diagnostics",
}
WITHOUT = {"completion", "repository cat"}  # they print a script for a shell, and what was backed up

EVERY_KEY = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {name: whole}
actions:
  backup:
    timeout: 2h
    concurrency: {group: whole, maxParallel: 2}
    inputs:
      password: {type: string, secret: true, required: true}
    outputArtifacts:
      files: {keyValue: {export: "{{ phases.files.outputs.export }}"}}
    phases:
    - name: ask
      description: Ask the application.
      func: RunCommand
      args: {script: "true", env: {PASSWORD: "{{ inputs.password }}"}, idempotent: true}
      outputs: {source: {type: string, description: Where the files are.}}
      retry: {limit: 2, errors: [transient], backoff: {initial: 1s, factor: 3, max: 1m, jitter: 0.1}}
      revert: {func: RunCommand, args: {script: "true"}, timeout: 1m}
      cleanup: {func: RunCommand, args: {script: "true", idempotent: true}}
    - name: files
      func: BackupFiles
      needs: [ask]
      args: {paths: ["{{ phases.ask.outputs.source }}"]}
      timeout: 10m
    - name: image
      func: SnapshotVolume
      when: phases.files.outputs.files > 0
      foreach: {items: [zero, full], key: item, maxParallel: 1, failFast: true}
      onError: continue
      args: {volume: "/dev/{{ item }}"}
    deferPhase: {func: RunCommand, args: {script: "true"}}
  restore:
    inputArtifactNames: [files]
    phases:
    - {name: check, func: VerifyExport, args: {export: "{{ artifactsIn.files.export }}"}}
"""


def check(name: str, value: object) -> None:
    """Validate a value, formats of times included."""
    schema = SCHEMAS[f"{name}.schema.json"]
    jsonschema.Draft202012Validator(
        schema, registry=REGISTRY, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(value)


def commands(command: click.Command, path: tuple[str, ...] = ()) -> list[str]:
    """Return all commands that do something, by their words."""
    if not isinstance(command, click.Group):
        return [" ".join(path)]
    context = click.Context(command)
    members = {name: command.get_command(context, name) for name in command.list_commands(context)}
    return [leaf for name, member in members.items() if member for leaf in commands(member, (*path, name))]


@pytest.fixture
def prints(cli: Cli) -> Prints:
    """Call a command with `-o json`, validate the lines that it prints, and return them."""

    def call(*words: str, command: str, code: int = 0) -> list[Any]:
        answer = cli(*words, "-o", "json")
        assert answer.code == code, answer.err
        rows = [answer.json] if answer.out.startswith("{\n") else answer.rows
        assert rows, "nothing was printed"
        for row in rows:
            check(SHARED.get(command) or f"outputs/{command.replace(' ', '-')}", row)
        return rows

    return call


@pytest.fixture
def backup(cli: Cli, tmp_path: Path) -> None:
    """Back the papers up twice, once with an object."""
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    assert cli("exec", "blueprint.yaml", "--run-id", RUN).code == 0
    assert cli("exec", "blueprint.yaml", "--object", "Deployment/prod/shop").code == 0


@pytest.mark.parametrize("command", commands(main.program))
def test_every_command_has_a_schema(command: str) -> None:
    own = f"outputs/{command.replace(' ', '-')}.schema.json" in SCHEMAS
    shared = f"{SHARED.get(command)}.schema.json" in SCHEMAS
    assert [own, shared, command in WITHOUT].count(True) == 1


def test_every_schema_of_an_output_belongs_to_a_command() -> None:
    named = {f"outputs/{command.replace(' ', '-')}.schema.json" for command in commands(main.program)}
    assert {name for name in SCHEMAS if name.startswith("outputs/")} <= named


@pytest.mark.parametrize(
    "words",
    [
        "functions",
        "schema",
        "explain RunCommand",
        "explain DeleteSnapshot",
        "explain foreach",
        "explain phase",
        "explain pluck",
        "explain timeout",
        "render --template x",
    ],
)
def test_what_is_known_without_a_run(words: str, prints: Prints) -> None:
    prints(*words.split(), command=words.split()[0])


def test_explanation_of_a_code(prints: Prints) -> None:
    prints("explain", "KB310", command="explain")


def test_rehearsals(prints: Prints, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    rehearsals.write(tmp_path, rehearsals.PASSES, "passes")
    assert prints("test", command="test")[0]["coverage"] is None
    rehearsals.write(tmp_path, rehearsals.DIFFERS, "differs")
    prints("test", "--coverage", command="test", code=1)
    rehearsals.write(tmp_path, rehearsals.INVALID, "invalid")
    (shown,) = prints("test", command="test", code=3)
    assert {each["status"] for each in shown["rehearsals"]} == {"passed", "differs", "invalid"}


def test_a_new_blueprint(prints: Prints) -> None:
    prints("new", "blueprint", "own", "--kind", "files", command="new blueprint")


def test_plugins(prints: Prints, cli: Cli) -> None:
    row = {"name": "x", "group": "runner.functions", "distribution": "d", "value": "d:x", "error": "ImportError"}
    check("outputs/plugins", row)
    assert all(set(found) == set(row) for found in cli("plugins", "-o", "json").rows)


def test_a_plan_has_exactly_the_keys_of_its_schema(prints: Prints, tmp_path: Path) -> None:
    blueprints.write(tmp_path, EVERY_KEY)
    plans = [
        prints("plan", "blueprint.yaml", "--action", action, command="plan")[0]["plan"]
        for action in ("backup", "restore")
    ]
    nodes = [node for plan in plans for node in plan["nodes"]]
    nodes += [node[undo] for node in nodes for undo in ("revert", "cleanup") if undo in node]
    known = SCHEMAS["plan.schema.json"]["$defs"]
    assert prints("render", "blueprint.yaml", command="render")[0]["calls"]
    assert {key for plan in plans for key in plan} == set(known["plan"]["properties"])
    assert {key for node in nodes for key in node} == set(known["node"]["properties"])


def test_dry_run(backup: None, prints: Prints) -> None:
    prints("exec", "blueprint.yaml", "--dry-run", "--object", "Deployment/prod/shop", command="plan")
    prints("exec", "blueprint.yaml", "--dry-run", "--action", "restore", command="plan")


def test_runs_and_one_of_them(backup: None, prints: Prints, cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    assert cli("exec", "blueprint.yaml").code == 1
    blueprints.write(tmp_path, blueprints.WAITING)
    assert cli("exec", "blueprint.yaml").code == 6
    assert len(prints("runs", command="runs")) == 4
    prints("show", RUN, command="show")
    prints("show", RUN, "--graph", command="show")
    prints("logs", RUN, command="logs")


def test_restore_points(backup: None, prints: Prints) -> None:
    point = prints("restore-points", "list", command="restore-points list")[0]["id"]
    prints("restore-points", "show", point, command="restore-points show")
    prints("restore-points", "verify", command="restore-points verify")
    prints("repository", "ls", point, "-R", command="repository ls")
    prints("repository", "diff", point, point, command="repository diff")
    prints("restore-points", "restore", point, command="restore-points restore")
    prints("restore-points", "restore", point, "--overwrite", "--dry-run", command="restore-points restore")
    prints("restore-points", "restore", point, "--to", "out", command="restore-points restore")
    prints("restore-points", "delete", point, command="restore-points delete")


def test_a_damaged_repository(backup: None, prints: Prints, state_dir: Path) -> None:
    pack = next(path for path in (state_dir / "repository" / "data").rglob("*") if path.is_file())
    pack.unlink()
    assert prints("repository", "check", command="repository check", code=1)[0]["conditions"]
    assert prints("repository", "repair", command="repository repair", code=1)[0]["packsMissing"]
    found = prints("restore-points", "verify", command="restore-points verify", code=1)
    assert any(point["problems"] for point in found)


def test_profiles(prints: Prints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text("locations: {nas: {type: directory, path: nas}, s3: {type: s3, bucket: b}}\n")
    monkeypatch.setenv("RUNNER_CONFIG", str(tmp_path / "config.yaml"))
    assert len(prints("profile", "list", command="profile list")) == 2
    prints("profile", "validate", "nas", command="profile validate")


def test_a_repository(backup: None, prints: Prints) -> None:
    for name in ("check", "stats", "prune", "repair"):
        prints("repository", name, command=f"repository {name}")


def test_a_new_repository_and_its_keys(prints: Prints, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        (tmp_path / name).write_text(name)
    there = ("--location", f"file://{tmp_path}/backups", "--passphrase-file", "first")
    prints("repository", "init", *there, command="repository init")
    (added,) = prints(
        "repository", "key", "add", "--new-passphrase-file", "second", *there, command="repository key add"
    )
    prints("repository", "key", "list", *there, command="repository key list")
    prints("repository", "key", "remove", added["slot"], *there, command="repository key remove")
    prints("repository", "key", "passwd", "--new-passphrase-file", "third", *there, command="repository key passwd")


@pytest.mark.parametrize(
    "words",
    [
        "runs --limt 3",
        "show nothing",
        "exec missing.yaml",
        "exec invalid.yaml",
        "exec failing.yaml",
        "exec blueprint.yaml --inputs inputs.yaml",
        "restore-points list",
    ],
)
def test_errors(words: str, cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FILES)
    blueprints.write(tmp_path, blueprints.FAILING, "failing.yaml")
    blueprints.write(tmp_path, blueprints.FILES.replace("BackupFiles", "BackupFile"), "invalid.yaml")
    (tmp_path / "inputs.yaml").write_text("source: 1\n")
    answer = cli(*words.split(), "-o", "json")
    assert answer.code != 0
    check("error", json.loads(answer.err.splitlines()[-1]))
