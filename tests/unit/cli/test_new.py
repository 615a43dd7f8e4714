"""`runner new blueprint`: what it writes is valid, is rehearsed, and runs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from runner.app import starting
from runner.base import codes, resources
from tests.unit.cli import terminals
from tests.unit.cli.conftest import Cli


def test_there_is_a_ready_made_blueprint_of_every_kind() -> None:
    assert {path.parent.name for path in resources.blueprints().glob("*/blueprint.yaml")} == set(starting.KINDS)


@pytest.mark.parametrize("kind", starting.KINDS)
def test_what_is_written_is_valid_and_rehearsed(cli: Cli, tmp_path: Path, kind: str) -> None:
    answer = cli("new", "blueprint", "own", "--kind", kind, "-o", "json")
    made = answer.json["files"]
    assert (made[0], made[-1]) == ("own/blueprint.yaml", "own/README.md")
    assert "own/backup.rehearsal.yaml" in made
    checked = cli("validate", "own")
    assert (checked.code, checked.out) == (0, "")
    assert cli("test", "own").code == 0
    assert cli("plan", "own/blueprint.yaml").out.startswith("own › backup: ")
    assert (tmp_path / "own" / "README.md").read_text().startswith("# own\n")


def test_files_are_backed_up_and_restored(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter").write_text("dear reader")
    (tmp_path / "papers" / "draft.tmp").write_text("nothing")
    given = ("--set", "directory=papers", "--set", 'exclude=["*.tmp"]')
    assert cli("new", "blueprint", "notes", "--kind", "files", *given).code == 0
    restored(cli, "notes")
    assert (tmp_path / "back" / "papers" / "letter").read_text() == "dear reader"
    assert not (tmp_path / "back" / "papers" / "draft.tmp").exists()


def test_a_database_is_backed_up_and_restored(cli: Cli, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "app.sqlite") as database:
        database.execute("CREATE TABLE t AS SELECT 7 AS n")
    database.close()
    assert cli("new", "blueprint", "app", "--kind", "sqlite", "--set", "database=app.sqlite").code == 0
    restored(cli, "app")
    copy = sqlite3.connect(tmp_path / "back" / "app.sqlite")
    assert copy.execute("SELECT n FROM t").fetchall() == [(7,)]
    copy.close()


def test_the_output_of_a_command_is_backed_up_and_restored(cli: Cli, tmp_path: Path) -> None:
    given = ("--set", 'dump=["echo", "words"]', "--set", f'load=["tee", "{tmp_path}/back"]')
    assert cli("new", "blueprint", "said", "--kind", "command", *given).code == 0
    restored(cli, "said", target=False)
    assert (tmp_path / "back").read_text() == "words\n"


def restored(cli: Cli, name: str, *, target: bool = True) -> None:
    """Back up with a blueprint, restore into `back`, and verify."""
    blueprint = f"{name}/blueprint.yaml"
    given = ("--set", "target=back") if target else ()
    for arguments in ((), ("--action", "restore", *given), ("--action", "verify")):
        answer = cli("exec", blueprint, *arguments)
        assert answer.code == 0, answer.err


def test_comments_and_order_stay_as_they_are(cli: Cli, tmp_path: Path) -> None:
    cli("new", "blueprint", "notes", "--kind", "files", "--set", "directory=/srv/notes")
    before = (resources.blueprints() / "files" / "blueprint.yaml").read_text().splitlines()
    after = (tmp_path / "notes" / "blueprint.yaml").read_text().splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        "  name: notes",
        '      directory: {type: path, default: "/srv/notes", description: Directory to back up.}',
    ]


@pytest.mark.parametrize("name", ["123", "true", "a.b-c", "1e3"])
def test_names_that_look_like_something_else_stay_names(cli: Cli, name: str) -> None:
    assert cli("new", "blueprint", name, "--kind", "files").code == 0
    assert cli("plan", f"{name}/blueprint.yaml", "-o", "json").json["plan"]["blueprint"] == name


def test_nothing_is_overwritten(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    answer = cli("new", "blueprint", "notes", "--kind", "files")
    assert answer.code == codes.Exit.USAGE
    assert "there is something at notes already" in answer.err
    assert list((tmp_path / "notes").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["notes"], "the kind of blueprint is missing"),
        (["notes", "--kind", "fils"], "'fils' is not one of"),
        (["No_Name", "--kind", "files"], '"No_Name" cannot be the name of a blueprint'),
        (["../notes", "--kind", "files"], '"../notes" cannot be the name of a blueprint'),
        (["notes", "--kind", "files", "--set", "directry=x"], 'there is no input "directry"'),
        (["notes", "--kind", "mariadb", "--set", "port=x"], 'the input "port" must be a whole number'),
        (["notes", "--kind", "mariadb", "--set", "password=x"], 'there is no input "password"'),
    ],
)
def test_what_is_off_is_refused_and_nothing_is_written(
    cli: Cli, tmp_path: Path, arguments: list[str], message: str
) -> None:
    answer = cli("new", "blueprint", *arguments)
    assert answer.code in (codes.Exit.USAGE, codes.Exit.INVALID)
    assert message in answer.err
    assert not (tmp_path / "notes").exists()


def test_questions_are_asked_on_a_terminal(tmp_path: Path) -> None:
    code, shown = terminals.converse(tmp_path, ["command", "echo 'two words'", ""], "new", "blueprint", "said")
    assert code == 0, shown
    written = (tmp_path / "said" / "blueprint.yaml").read_text()
    assert 'dump: {type: array, default: ["echo", "two words"]' in written
    assert "load: {type: array, required: true" in written
