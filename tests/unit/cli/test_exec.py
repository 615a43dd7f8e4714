"""`runner exec` and the commands on its runs and restore points, in this process."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runner.base import codes
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli

SCHEMAS = Path(__file__).parents[3] / "schemas"


@pytest.fixture
def backup(cli: Cli, tmp_path: Path) -> dict[str, Any]:
    """Back the papers up once; return the object that `-o json` prints."""
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    answer = cli("exec", "blueprint.yaml", "-o", "json")
    assert answer.code == 0, answer.err
    run: dict[str, Any] = answer.json["run"]
    return run


def test_result_has_the_shape_of_its_schema(backup: dict[str, Any]) -> None:
    schema = json.loads((SCHEMAS / "run-result.schema.json").read_text())
    jsonschema.validate({"run": backup}, schema)
    assert backup["status"] == "succeeded"
    assert [point["location"] for point in backup["restorePoints"]] == [""]


def test_a_backup_can_be_restored_by_the_command_that_it_prints(cli: Cli, tmp_path: Path) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    command = cli("exec", "blueprint.yaml").out.splitlines()[-1].split("runner ")[1]
    assert cli(*command.split()).code == 0
    assert (tmp_path / "restored/papers/letter.txt").read_text() == "dear reader\n" * 100


def test_a_second_backup_without_changes_says_that_nothing_is_new(backup: dict[str, Any], cli: Cli) -> None:
    answer = cli("exec", "blueprint.yaml")
    assert ", nothing new\n" in answer.out
    # Files that were written a moment before they were captured are read again, so the bytes read depend on the clock.
    assert re.search("2 files, .* read, nothing new", answer.err)


def test_restore_takes_the_latest_restore_point(backup: dict[str, Any], cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "papers/letter.txt").write_text("second")
    assert cli("exec", "blueprint.yaml").code == 0
    assert cli("exec", "blueprint.yaml", "--action", "restore").code == 0
    assert (tmp_path / "restored/papers/letter.txt").read_text() == "second"


@pytest.mark.parametrize("meant", ["point", "prefix", "run"])
def test_restore_takes_a_restore_point_or_the_run_that_made_it(
    meant: str, backup: dict[str, Any], cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "papers/letter.txt").write_text("second")
    assert cli("exec", "blueprint.yaml").code == 0
    point = backup["restorePoints"][0]["id"]
    text = {"point": point, "prefix": point[:6], "run": backup["id"]}[meant]
    answer = cli("exec", "blueprint.yaml", "--action", "restore", "--from", text)
    assert answer.code == 0
    assert (tmp_path / "restored/papers/letter.txt").read_text() == "dear reader\n" * 100
    assert answer.out.endswith(f"restored to:  {tmp_path}/restored\n")


def test_restore_does_not_write_over_data_unless_told(backup: dict[str, Any], cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "restored/papers").mkdir(parents=True)
    (tmp_path / "restored/papers/letter.txt").write_text("mine")
    answer = cli("exec", "blueprint.yaml", "--action", "restore")
    assert answer.code == codes.Exit.ENVIRONMENT
    assert "error[RT310]" in answer.err
    assert (tmp_path / "restored/papers/letter.txt").read_text() == "mine"
    assert cli("exec", "blueprint.yaml", "--action", "restore", "--overwrite").code == 0
    assert (tmp_path / "restored/papers/letter.txt").read_text() != "mine"


def test_an_object_keeps_restore_points_apart(backup: dict[str, Any], cli: Cli) -> None:
    answer = cli("exec", "blueprint.yaml", "--action", "restore", "--object", "Deployment/shop/web")
    assert answer.code == codes.exit_of("RT418")
    assert 'there is no restore point of "papers" of Deployment/shop/web' in answer.err


def test_an_unknown_restore_point_is_named(backup: dict[str, Any], cli: Cli) -> None:
    answer = cli("exec", "blueprint.yaml", "--action", "restore", "--from", "zzzzzzzz", "-o", "json")
    assert answer.code == codes.Exit.FAILED
    assert answer.error["code"] == "RT418"
    assert answer.error["hint"] == "list them with `runner restore-points list`"


def test_restore_before_any_backup_says_so_and_makes_nothing(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    blueprints.write(tmp_path, blueprints.FILES)
    answer = cli("exec", "blueprint.yaml", "--action", "restore")
    assert answer.code == codes.Exit.ENVIRONMENT
    assert "error[RT410]: nothing has been backed up here yet" in answer.err
    assert not state_dir.exists()


def test_a_restore_needs_only_the_location_and_its_passphrase(
    backup: dict[str, Any], cli: Cli, tmp_path: Path, state_dir: Path
) -> None:
    state_dir.rename(tmp_path / "elsewhere")
    location = ("--location", tmp_path / "elsewhere/repository")
    key = ("--passphrase-file", tmp_path / "elsewhere/repository.key")
    answer = cli("exec", "blueprint.yaml", "--action", "restore", "--from", "latest", *location, *key)
    assert answer.code == 0
    assert (tmp_path / "restored/papers/letter.txt").exists()


def test_a_restore_point_restores_itself_without_a_blueprint(backup: dict[str, Any], cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "blueprint.yaml").unlink()
    point = backup["restorePoints"][0]["id"]
    assert cli("restore-points", "restore", point[:8], "--set", "target=back").code == 0
    assert (tmp_path / "back/papers/letter.txt").exists()


def test_first_use_prints_once_where_the_passphrase_is(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    said = [cli("exec", "blueprint.yaml").err for _ in range(2)]
    assert [f"  is in {state_dir}/repository.key" in text for text in said] == [True, False]
    assert (state_dir / "repository.key").stat().st_mode & 0o777 == 0o600
    assert state_dir.stat().st_mode & 0o777 == 0o700


def test_another_location_needs_a_repository_first(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    monkeypatch.setenv("RUNNER_PASSPHRASE", "correct horse")
    location = ("--location", f"file://{tmp_path}/nas")
    answer = cli("exec", "blueprint.yaml", *location)
    assert answer.code == codes.Exit.ENVIRONMENT
    assert "error[RT410]" in answer.err
    assert cli("runs", "-o", "json").rows == []
    assert cli("repository", "init", *location).code == 0
    answer = cli("exec", "blueprint.yaml", *location)
    assert answer.code == 0
    assert f"--action restore --location file://{tmp_path}/nas --from" in answer.out
    monkeypatch.setenv("RUNNER_PASSPHRASE", "wrong")
    answer = cli("restore-points", "list", *location)
    assert answer.code == codes.Exit.ENVIRONMENT
    assert "error[RT412]" in answer.err


def test_a_configured_location_is_used_by_name(cli: Cli, tmp_path: Path) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    (tmp_path / "nas.key").write_text("correct horse\n")
    config = blueprints.write(
        tmp_path, "locations: {nas: {type: directory, path: nas, passphraseFile: nas.key}}\n", "config.yaml"
    )
    assert cli("repository", "init", "--location", "nas", "--config", config).code == 0
    assert cli("exec", "blueprint.yaml", "--location", "nas", "--config", config).code == 0
    assert (tmp_path / "nas/config").exists()
    answer = cli("restore-points", "list", "--location", "naas", "--config", config)
    assert (answer.code, 'did you mean "nas"?' in answer.err) == (codes.Exit.USAGE, True)


def test_a_failed_run_tells_what_was_undone_and_exits_1(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    answer = cli("exec", "blueprint.yaml")
    assert answer.code == codes.Exit.FAILED
    assert answer.out == ""
    assert "  | the disk is on fire\n" in answer.err
    assert "  reverted: quiesce\n  cleaned up: quiesce\n" in answer.err


def test_a_failed_run_as_json_is_a_result_and_an_error(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    answer = cli("exec", "blueprint.yaml", "-o", "json")
    assert answer.json["run"]["status"] == "failed"
    assert answer.error == answer.json["run"]["error"]
    assert answer.error["code"] == "RT206"


def test_quiet_and_no_progress_show_only_the_result(cli: Cli, tmp_path: Path) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    cli("repository", "init")
    for option in ("--quiet", "--progress=none"):
        answer = cli("exec", "blueprint.yaml", option)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.startswith("Restore point ")


def test_progress_as_json_is_one_object_a_line(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    lines = [
        json.loads(line) for line in cli("exec", "blueprint.yaml", "--progress", "json", "-o", "json").err.splitlines()
    ]
    assert [line["type"] for line in lines[:3]] == ["run.attached", "phase.started", "phase.succeeded"]
    assert lines[-2]["type"] == "run.finished"


def test_notes_are_objects_too_where_progress_is_json(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    answer = cli("exec", "blueprint.yaml", "--progress", "json")
    notes = [line for line in map(json.loads, answer.err.splitlines()) if line["type"] == "note"]
    assert [note["message"].splitlines()[0] for note in notes] == [
        f"the passphrase of the new repository file://{state_dir}/repository"
    ]


def test_verbose_shows_the_output_of_commands(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    assert "[quiesce] quiesced" in cli("exec", "blueprint.yaml", "-v").err
    assert "[quiesce] quiesced" not in cli("exec", "blueprint.yaml").err


def test_a_run_id_is_used_once(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FILES)
    assert cli("exec", "blueprint.yaml", "--action", "forget", "--run-id", "7kq2m9xw").code == 0
    answer = cli("exec", "blueprint.yaml", "--action", "forget", "--run-id", "7kq2m9xw")
    assert answer.code == codes.Exit.USAGE
    assert 'error[RT104]: there is a run "7kq2m9xw" already' in answer.err


def test_a_dry_run_touches_nothing(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    blueprints.write(tmp_path, blueprints.FILES)
    answer = cli("exec", "blueprint.yaml", "--dry-run", "-o", "json")
    assert answer.code == 0
    assert answer.json["inputs"] == {"source": f"{tmp_path}/papers"}
    assert [node["id"] for node in answer.json["plan"]["nodes"]] == ["files"]
    assert not state_dir.exists()


def test_a_waiting_run_exits_6_and_goes_on_when_it_is_approved(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.WAITING)
    answer = cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw")
    assert answer.code == codes.Exit.WAITING
    assert "gate: delete the old system?\n    runner approve 7kq2m9xw gate\n" in answer.err
    assert cli("resume", "7kq2m9xw").code == codes.Exit.WAITING
    assert cli("approve", "7k", "gate", "--comment", "sure").code == 0
    assert cli("show", "7k", "-o", "json").json["run"]["status"] == "succeeded"


def test_what_a_person_says_with_an_approval_can_be_read_by_later_phases(cli: Cli, tmp_path: Path) -> None:
    after = """{script: 'echo "said: $SAID"', env: {SAID: "{{ phases.gate.outputs.comment }}"}}"""
    blueprints.write(tmp_path, blueprints.WAITING.replace('{script: "true"}', after))
    assert cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw").code == codes.Exit.WAITING
    assert cli("approve", "7k", "gate", "--comment", "sure").code == 0
    assert "said: sure" in cli("logs", "7k", "after").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("approve", "7k", "gaet"), 'did you mean "gate"?'),
        (("approve", "7k", "after"), 'the phase "after" of run 7kq2m9xw does not wait for an approval'),
        (("resume", "7k", "--settle", "gate"), "write --settle PHASE=rerun"),
        (("resume", "7k", "--settle", "gaet=rerun"), 'did you mean "gate"?'),
        (("logs", "7k", "gaet"), 'did you mean "gate"?'),
        (("show", "zz"), 'error[RT105]: there is no run "zz"'),
    ],
)
def test_mistakes_about_runs_are_told_with_a_hint(
    arguments: tuple[str, ...], said: str, cli: Cli, tmp_path: Path
) -> None:
    blueprints.write(tmp_path, blueprints.WAITING)
    cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw")
    answer = cli(*arguments)
    assert answer.code == codes.Exit.USAGE
    assert said in answer.err


def test_cancelling_a_run_that_nobody_drives_unwinds_it(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.WAITING)
    cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw")
    assert cli("cancel", "7kq2m9xw").code == 0
    assert cli("show", "7kq2m9xw", "-o", "json").json["run"]["status"] == "cancelled"


@pytest.mark.parametrize("command", ["cancel", "resume"])
def test_a_run_that_has_ended_cannot_be_changed(command: str, cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FILES)
    cli("exec", "blueprint.yaml", "--action", "forget", "--run-id", "7kq2m9xw")
    answer = cli(command, "7kq2m9xw")
    assert answer.code == codes.Exit.USAGE
    assert "error[RT212]: run 7kq2m9xw has already ended: succeeded" in answer.err


def test_runs_are_listed_newest_first_and_by_state(cli: Cli, tmp_path: Path) -> None:
    assert cli("runs").err == "there are no runs\n"
    blueprints.write(tmp_path, blueprints.FAILING)
    cli("exec", "blueprint.yaml", "--run-id", "aaaaaaaa")
    blueprints.write(tmp_path, blueprints.WAITING)
    cli("exec", "blueprint.yaml", "--run-id", "bbbbbbbb")
    assert [row["id"] for row in cli("runs", "-o", "json").rows] == ["bbbbbbbb", "aaaaaaaa"]
    assert [row["id"] for row in cli("runs", "-o", "json", "--status", "failed").rows] == ["aaaaaaaa"]
    assert [row["id"] for row in cli("runs", "-o", "json", "--limit", "1").rows] == ["bbbbbbbb"]


def test_logs_of_one_phase_are_its_lines_only(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw")
    assert "quiesced" in cli("logs", "7kq2m9xw").out
    lines = cli("logs", "7kq2m9xw", "dump", "-o", "json").rows
    assert {line["phase"] for line in lines} == {"dump"}
    assert cli("logs", "7kq2m9xw", "-f").out == cli("logs", "7kq2m9xw").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("exec", "none.yaml"), codes.Exit.USAGE, "error[RT103]: the file none.yaml cannot be read"),
        (("exec", "blueprint.yaml", "--action", "bakup"), codes.Exit.USAGE, 'did you mean "backup"?'),
        (("exec", "blueprint.yaml", "--set", "sorce=x"), codes.Exit.USAGE, 'did you mean "source"?'),
        (("exec", "blueprint.yaml", "--object", "web"), codes.Exit.USAGE, "write --object KIND/NAMESPACE/NAME"),
        (("exec", "blueprint.yaml", "--object", "a/b/\udcff"), codes.Exit.USAGE, '"\\udcff" is not UTF-8 text'),
        (("exec", "blueprint.yaml", "--location", ""), codes.Exit.USAGE, "error[RT403]: the location is empty"),
        (("exec", "blueprint.yaml", "--location", "nas"), codes.Exit.USAGE, 'there is no location "nas"'),
        (("repository", "init", "--location", "nas"), codes.Exit.USAGE, "a directory: ./nas if it is to be made"),
        (("exec", "blueprint.yaml", "--location", "s4://x"), codes.Exit.USAGE, "error[RT403]"),
        (("exec", "blueprint.yaml", "--run-id", "Not An Id"), codes.Exit.USAGE, "error[RT104]"),
        (("exec", "blueprint.yaml", "--config", "none"), codes.Exit.USAGE, "error[RT103]"),
        (("plan", "blueprint.yaml", "--action", "bakup"), codes.Exit.USAGE, 'did you mean "backup"?'),
    ],
)
def test_mistakes_are_told_with_a_hint_and_leave_nothing(
    arguments: tuple[str, ...], code: codes.Exit, said: str, cli: Cli, tmp_path: Path, state_dir: Path
) -> None:
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    answer = cli(*arguments)
    assert answer.code == code
    assert said in answer.err
    assert not (state_dir / "repository").exists()
    assert cli("runs", "-o", "json").rows == []


def test_an_invalid_blueprint_shows_every_problem_and_exits_3(cli: Cli, tmp_path: Path) -> None:
    text = blueprints.FILES.replace("func: BackupFiles", "func: BackupFile").replace(
        "artifactsIn.files", "artifactsIn.fils"
    )
    blueprints.write(tmp_path, text)
    answer = cli("exec", "blueprint.yaml")
    assert answer.code == codes.Exit.INVALID
    assert "blueprint.yaml:13:13: error[KB501]" in answer.err
    assert "error[KB314]" in answer.err
    error = cli("exec", "blueprint.yaml", "-o", "json").error
    assert error["code"] == "RT102"
    assert [finding["code"] for finding in error["diagnostics"]] == ["KB501", "KB314"]


def test_a_kanister_document_is_refused_when_it_is_to_run(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(
        tmp_path,
        "apiVersion: cr.kanister.io/v1alpha1\nkind: Blueprint\nmetadata: {name: old}\n"
        "actions: {backup: {phases: [{func: KubeTask, name: x, args: {}}]}}\n",
    )
    answer = cli("exec", "blueprint.yaml")
    assert answer.code == codes.Exit.ENVIRONMENT
    assert "error[RT106]" in answer.err


def test_restore_points_are_listed_shown_verified_and_deleted(backup: dict[str, Any], cli: Cli) -> None:
    point = backup["restorePoints"][0]["id"]
    assert [row["id"] for row in cli("restore-points", "list", "-o", "json").rows] == [point]
    assert cli("restore-points", "list", "--blueprint", "other", "-o", "json").rows == []
    shown = cli("restore-points", "show", point[:8], "-o", "json").json
    assert shown["blueprintText"] == blueprints.FILES
    assert shown["run"] == backup["id"]
    [verified] = cli("restore-points", "verify", "-o", "json").rows
    assert (verified["id"], verified["problems"]) == (point, [])
    assert verified["bytesVerified"] >= 1200
    assert cli("restore-points", "delete", point[:8], "--dry-run").out == f"would delete restore point {point}\n"
    assert cli("restore-points", "delete", point[:8], "zzzzzzzz").code == codes.Exit.FAILED
    refused = cli("restore-points", "delete", point[:8], "latest")
    assert (refused.code, refused.out) == (codes.Exit.USAGE, "")
    assert 'error[RT101]: "latest" is not deleted by that word' in refused.err
    assert f"by now it is {point[:8]}, made " in refused.err
    assert cli("restore-points", "delete", point[:8]).out == f"deleted restore point {point}\n"
    for without in ("list", "verify"):
        assert cli("restore-points", without).err == "there are no restore points\n"
    for command in (("restore-points", "show"), ("restore-points", "delete"), ("repository", "ls")):
        answer = cli(*command, "latest")
        assert (answer.code, "error[RT418]: there is no restore point in the repository at" in answer.err) == (1, True)


def test_a_damaged_repository_is_reported_with_the_restore_points_concerned(
    backup: dict[str, Any], cli: Cli, state_dir: Path
) -> None:
    for pack in (state_dir / "repository/data").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            data = bytearray(pack.read_bytes())
            data[20] ^= 1
            pack.write_bytes(data)
    answer = cli("repository", "check", "--read-data", "-o", "json")
    assert answer.code == codes.Exit.FAILED
    point = backup["restorePoints"][0]["id"]
    assert point in answer.json["problems"][0]["restorePoints"]
    failed = cli("repository", "check", "--read-data")
    assert "error[RT415]: " in failed.err
    assert f"these restore points are concerned: {point[:8]}" in failed.err
    gone = f"restore point {point[:8]} can be restored in part\n    gone from files: papers/letter.txt\n"
    assert gone in failed.out
    assert re.search(r"read in (\d+) of \1 packs?\n", cli("repository", "check", "--read-data=100").out)
    assert cli("repository", "check", "--read-data=0").code == codes.Exit.USAGE
    verified = cli("restore-points", "verify")
    assert (verified.code, "error[RT415]: 1 of 1 restore point" in verified.err) == (codes.Exit.FAILED, True)


def test_a_damaged_restore_point_is_in_nobodys_way_and_can_be_deleted(
    backup: dict[str, Any], cli: Cli, state_dir: Path
) -> None:
    damaged = backup["restorePoints"][0]["id"]
    path = state_dir / "repository" / "points" / damaged
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])

    good = cli("exec", "blueprint.yaml", "-o", "json").json["run"]["restorePoints"][0]["id"]

    for command in ("list", "verify"):
        answer = cli("restore-points", command)
        assert (answer.code, good[:8] in answer.out) == (codes.Exit.FAILED, True), answer.err
        assert damaged in answer.err
    restored = cli("exec", "blueprint.yaml", "--action", "restore", "--from", good)
    assert restored.code == 0, restored.err
    assert cli("repository", "prune").code == codes.Exit.FAILED
    assert cli("restore-points", "delete", damaged).code == 0
    assert cli("repository", "prune").code == 0
    assert [row["id"] for row in cli("restore-points", "list", "-o", "json").rows] == [good]


def test_repository_commands_on_a_good_repository(backup: dict[str, Any], cli: Cli) -> None:
    assert cli("repository", "check", "-o", "json").json["problems"] == []
    assert cli("repository", "stats", "-o", "json").json["restorePoints"] == 1
    assert cli("repository", "prune", "--unfinished", "1h", "-o", "json").json["packsRemoved"] == 0
    assert cli("repository", "init").code == codes.Exit.ENVIRONMENT
    answer = cli("repository", "prune", "--unfinished", "soon")
    assert (answer.code, '"soon" is not a duration' in answer.err) == (codes.Exit.USAGE, True)


def test_keys_are_added_changed_and_removed(backup: dict[str, Any], cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    (tmp_path / "second").write_text("second\n")
    (tmp_path / "third").write_text("third\n")
    first = cli("repository", "key", "list", "-o", "json").rows[0]["slot"]
    cli("repository", "key", "add", "--new-passphrase-file", "second")
    assert cli("restore-points", "list", "--passphrase-file", "second").code == 0
    assert cli("repository", "key", "remove", first, "--passphrase-file", "second").code == 0
    assert cli("restore-points", "list").code == codes.exit_of("RT412")
    answer = cli("repository", "key", "passwd", "--passphrase-file", "second", "--new-passphrase-file", "third")
    assert answer.err == f"warning: {tmp_path}/second still holds the old passphrase: put the new one there\n"
    assert cli("restore-points", "list", "--passphrase-file", "third").code == 0
    assert cli("restore-points", "list", "--passphrase-file", "second").code == codes.exit_of("RT412")


def test_a_run_with_a_damaged_journal_hides_no_other(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    cli("exec", "blueprint.yaml", "--run-id", "aaaaaaaa")
    cli("exec", "blueprint.yaml", "--run-id", "bbbbbbbb")
    journal = state_dir / "runs/aaaaaaaa/journal"
    data = bytearray(journal.read_bytes())
    data[40] ^= 1
    journal.write_bytes(data)
    answer = cli("runs", "-o", "json")
    assert [row["id"] for row in answer.rows] == ["bbbbbbbb"]
    assert "run aaaaaaaa cannot be read" in answer.err
    assert cli("show", "aaaaaaaa").code == codes.exit_of("RT213")


def test_a_blueprint_that_needs_a_broken_plugin_names_it(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    information = tmp_path / "site/broken-2.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 2.0\n")
    (information / "entry_points.txt").write_text("[runner.functions]\nTapeBackup = not_there:tape\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    blueprints.papers(tmp_path)
    blueprints.write(tmp_path, blueprints.FILES)
    assert cli("exec", "blueprint.yaml").code == 0
    blueprints.write(tmp_path, blueprints.FILES.replace("func: BackupFiles", "func: TapeBackup"))
    answer = cli("exec", "blueprint.yaml")
    assert answer.code == codes.Exit.ENVIRONMENT
    assert 'error[RT902]: the plugin broken 2.0, which brings "TapeBackup", cannot be loaded' in answer.err
    shown = cli("plugins").out
    assert "TapeBackup  functions  broken 2.0  failed" in shown
    assert "No module named 'not_there'" in shown


def test_validate_searches_directories_and_refuses_empty_ones(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    blueprints.write(tmp_path / "deep/er", blueprints.FILES, "good.yml")
    blueprints.write(tmp_path / "deep", "kind: [", "bad.yaml")
    answer = cli("validate", "deep", "-o", "json")
    assert answer.code == codes.Exit.INVALID
    assert {row["position"]["file"] for row in answer.rows} == {"deep/bad.yaml"}
    assert answer.err == "2 documents checked, 1 with errors: 1 error\n"
    (tmp_path / "none").mkdir()
    assert cli("validate", "none").code == codes.Exit.USAGE
    assert cli("validate", "missing.yaml").code == codes.Exit.USAGE


def test_validate_checks_location_profiles_too(cli: Cli, tmp_path: Path) -> None:
    head = "apiVersion: blueprint-runner.dev/v1\nkind: LocationProfile\nmetadata: {name: nas}\n"
    blueprints.write(tmp_path, head + "spec: {type: directory, path: /mnt/nas}\n", "good.yaml")
    blueprints.write(tmp_path, head + "spec: {type: directory}\n", "bad.yaml")
    assert cli("validate", "good.yaml").code == 0
    assert [row["code"] for row in cli("validate", "bad.yaml", "-o", "json").rows] == ["KB202"]


def test_a_resumed_run_reads_its_passphrase_from_where_it_came_from(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blueprints.papers(tmp_path)
    gate = '    phases:\n    - name: gate\n      func: Approve\n      args: {message: "go on?"}\n'
    blueprints.write(tmp_path, blueprints.FILES.replace("    phases:\n", gate, 1))
    (tmp_path / "nas.key").write_text("correct horse\n")
    options = ("--location", tmp_path / "nas/", "--passphrase-file", "nas.key")
    assert cli("repository", "init", *options).code == 0
    assert cli("exec", "blueprint.yaml", *options, "--run-id", "7kq2m9xw").code == codes.Exit.WAITING
    monkeypatch.setenv("RUNNER_PASSPHRASE", "of another repository")
    monkeypatch.chdir("/")
    answer = cli("approve", "7kq2m9xw", "gate")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("Restore point ")


def test_a_secret_input_is_masked_in_a_dry_run(cli: Cli, tmp_path: Path) -> None:
    secret = "      source: {type: path, default: ./papers}\n      password: {type: string, secret: true}\n"
    blueprints.write(tmp_path, blueprints.FILES.replace("      source: {type: path, default: ./papers}\n", secret))
    (tmp_path / "password").write_text("hunter22\n")
    for form in ("text", "json", "yaml"):
        answer = cli("exec", "blueprint.yaml", "--set-file", "password=password", "--dry-run", "-o", form)
        assert (answer.code, "[secret]" in answer.out) == (0, True)
        assert "hunter22" not in answer.out + answer.err


def test_a_read_only_repository_is_checked(cli: Cli, as_ordinary_user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_STATE_DIR", str(as_ordinary_user / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(as_ordinary_user))
    assert cli("repository", "init").code == 0
    place = as_ordinary_user / "state" / "repository"
    directories = [place, *(path for path in place.rglob("*") if path.is_dir())]
    for directory in directories:
        directory.chmod(0o500)
    answer = cli("repository", "check")
    for directory in directories:
        directory.chmod(0o700)
    assert (answer.code, answer.out, answer.err) == (0, "2 objects, 0 restore points: no problems\n", "")


def test_a_snapshot_of_the_directory_that_holds_the_repository_is_without_it(cli: Cli, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    blueprints.write(tmp_path, blueprints.IMAGE)
    state = ("--state-dir", source / "state")
    assert cli("repository", "init", *state).code == 0
    answer = cli("exec", "blueprint.yaml", *state, "-o", "json")
    assert answer.code == 0, answer.err
    image = Path(answer.json["run"]["phases"][0]["outputs"]["path"])
    assert [str(path.relative_to(image)) for path in sorted(image.rglob("*"))] == ["state", "state/repository.key"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["blueprint.yaml"], "KB510"),
        (["blueprint.yaml", "--set", "passwort=x"], "KB511"),
        (["papers.yaml", "--set", "source="], "KB512"),
        (["blueprint.yaml", "--set", "password=x"], "KB703"),
    ],
)
def test_wrong_inputs_are_a_wrong_use_of_the_command(cli: Cli, tmp_path: Path, arguments: list[str], code: str) -> None:
    blueprints.write(tmp_path, blueprints.SECRET)
    blueprints.write(tmp_path, blueprints.FILES, "papers.yaml")
    answer = cli("exec", *arguments)
    assert answer.code == codes.Exit.USAGE
    assert answer.err.startswith(f"error[{code}]: ")


def test_a_wrong_default_is_an_invalid_document(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FILES.replace("default: ./papers", 'default: "", enum: [a]'))
    answer = cli("exec", "blueprint.yaml")
    assert answer.code == codes.Exit.INVALID
    assert "error[KB512]: " in answer.err


def test_what_a_command_says_of_a_secret_that_nobody_gave_it_is_masked(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNNER_INPUT_PASSWORD", "swordfish")
    blueprints.write(tmp_path, blueprints.TALKATIVE)
    done = cli("exec", "blueprint.yaml", "--run-id", "b0000001")
    assert done.code == 0, done.err
    log = cli("logs", "b0000001").out
    assert log.count("[secret]") == 2
    held = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert not [path for path in held if b"swordfish" in path.read_bytes() or b"hunter22" in path.read_bytes()]
