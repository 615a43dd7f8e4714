"""The frame of the command line: help, global options, mistakes, defects."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from runner.base import codes
from runner.cli import commanding, failures, main
from runner.cli import settings as settings_module
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli

COMMANDS = [(name, *facts) for commands in main._Runner.sections.values() for name, facts in commands.items()]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", "runner", *arguments], capture_output=True, text=True, env=whole, timeout=60
    )


def test_help_names_every_command(cli: Cli) -> None:
    answer = cli("--help")
    assert answer.code == 0
    assert all(f"  {name} " in answer.out for name, _, _ in COMMANDS)


def test_help_needs_at_most_80_columns(cli: Cli) -> None:
    assert max(map(len, cli("--help").out.splitlines())) <= 80


@pytest.mark.parametrize(("name", "module", "summary"), COMMANDS)
def test_summary_in_help_is_the_one_of_the_command(name: str, module: str, summary: str) -> None:
    command = importlib.import_module(module).command
    assert command.name == name
    assert (command.help or "").splitlines()[0] == summary


def _leaves(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        members = {name: command.get_command(context, name) for name in command.list_commands(context)}
        return [leaf for name, member in members.items() if member for leaf in _leaves(member, (*path, name))]
    return [path]


@pytest.mark.parametrize("path", _leaves(main.program), ids=" ".join)
def test_every_command_has_help_and_takes_the_global_options(path: tuple[str, ...], cli: Cli) -> None:
    answer = cli(*path, "-o", "json", "--no-color", "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"Usage: runner {' '.join(path)}")
    assert answer.err == ""


def test_nothing_after_the_program_shows_help(cli: Cli) -> None:
    answer = cli()
    assert answer.code == codes.Exit.USAGE
    assert "Usage: runner" in answer.out + answer.err


def test_unknown_command_suggests_the_closest(cli: Cli) -> None:
    answer = cli("exce")
    assert answer.code == codes.Exit.USAGE
    assert answer.out == ""
    assert answer.err == 'error[RT101]: there is no command "exce"\n  hint: did you mean "exec"?\n'


def test_unknown_subcommand_suggests_the_closest(cli: Cli) -> None:
    assert 'did you mean "verify"?' in cli("restore-points", "verfy").err


def test_unknown_option_suggests_the_closest(cli: Cli) -> None:
    answer = cli("runs", "--limt", "3")
    assert answer.code == codes.Exit.USAGE
    assert answer.err == "error[RT101]: runner runs has no option --limt\n  hint: did you mean --limit?\n"


def test_missing_argument_points_to_the_help(cli: Cli) -> None:
    answer = cli("show")
    assert answer.code == codes.Exit.USAGE
    assert answer.err == "error[RT101]: missing argument 'RUN'\n  hint: see `runner show --help`\n"


@pytest.mark.parametrize("arguments", [("-o", "json", "show"), ("show", "-o", "json"), ("show", "--output=json")])
def test_a_mistake_is_told_as_json_wherever_the_option_stands(arguments: tuple[str, ...], cli: Cli) -> None:
    answer = cli(*arguments)
    assert answer.code == codes.Exit.USAGE
    assert answer.error == {
        "code": "RT101",
        "message": "missing argument 'RUN'",
        "details": "",
        "hint": "see `runner show --help`",
        "retryable": False,
        "position": None,
    }


@pytest.mark.parametrize("arguments", [("-o", "json", "functions"), ("functions", "-o", "json")])
def test_global_options_stand_before_or_after_the_command(arguments: tuple[str, ...], cli: Cli) -> None:
    answer = cli(*arguments)
    assert {"name", "effects", "idempotent", "distribution", "summary"} == set(answer.rows[0])


def test_the_later_of_two_global_options_counts(cli: Cli) -> None:
    assert cli("-o", "yaml", "functions", "-o", "json").out.startswith("{")


def test_state_directory_option_wins_over_the_variable(cli: Cli, tmp_path: Path, state_dir: Path) -> None:
    (tmp_path / "other" / "runs").mkdir(parents=True)
    assert cli("runs", "--state-dir", tmp_path / "other").code == 0
    assert not state_dir.exists()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HOME": "/home/ann"}, "/home/ann/.local/state/blueprint-runner"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/var/s"}, "/var/s/blueprint-runner"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/var/s", "RUNNER_STATE_DIR": "/srv/r"}, "/srv/r"),
    ],
)
def test_state_directory_comes_from_the_environment(environment: dict[str, str], expected: str) -> None:
    assert settings_module.from_environment(environment).state_dir == Path(expected)


def test_configuration_is_found_in_its_usual_place_only_if_it_is_there(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    assert settings_module.from_environment(environment).config is None
    (tmp_path / "blueprint-runner").mkdir()
    (tmp_path / "blueprint-runner" / "config.yaml").write_text("locations: {}")
    assert settings_module.from_environment(environment).config == tmp_path / "blueprint-runner" / "config.yaml"


def test_a_configuration_in_the_home_of_another_user_is_none(as_ordinary_user: Path) -> None:
    hidden = as_ordinary_user / "hidden"
    hidden.mkdir(0)
    assert settings_module.from_environment({"HOME": str(hidden)}).config is None


def test_version_is_printed(cli: Cli) -> None:
    assert cli("--version").out == "runner 0.1.0\n"


def test_reading_a_command_imports_only_its_module() -> None:
    code = "import sys; from runner.cli import main; main.program.get_command(None, 'completion'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "runner.cli.commands.completion" in loaded
    assert not {name for name in loaded if name.startswith("runner.cli.commands.")} - {"runner.cli.commands.completion"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_made_for_each_shell(shell: str, cli: Cli) -> None:
    answer = cli("completion", shell)
    assert answer.code == 0
    assert "_RUNNER_COMPLETE" in answer.out


def test_completion_offers_commands() -> None:
    answer = run(_RUNNER_COMPLETE="bash_complete", COMP_WORDS="runner res", COMP_CWORD="1")
    assert answer.stdout.splitlines() == ["plain,restore-points", "plain,resume"]


def test_completion_offers_runs(tmp_path: Path) -> None:
    (tmp_path / "runs" / "7kq2m9xw").mkdir(parents=True)
    words = {"_RUNNER_COMPLETE": "bash_complete", "COMP_WORDS": "runner show 7", "COMP_CWORD": "2"}
    assert run(**words, RUNNER_STATE_DIR=str(tmp_path)).stdout == "plain,7kq2m9xw\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-m", "runner", "functions"], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (process.returncode, process.stderr) == (0, "")


def test_a_defect_leaves_a_report_and_no_traceback(cli: Cli, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("broken", cls=commanding.Command)
    @click.option("--token")
    def broken(token: str) -> None:
        raise ZeroDivisionError("what nobody expected")

    monkeypatch.setattr(main.program, "get_command", lambda context, name: broken)
    answer = cli("broken", "--token=hunter22", "--token", "hunter33")
    assert answer.code == codes.Exit.INTERNAL
    assert answer.err.startswith("error[RT901]: the runner has a defect (ZeroDivisionError)\n")
    assert "Traceback" not in answer.err
    [report] = (state_dir / "crashes").iterdir()
    text = report.read_text()
    assert "what nobody expected" in text
    assert "hunter" not in text.split("Traceback")[0]
    assert report.stat().st_mode & 0o777 == 0o600


def test_a_defect_is_reported_elsewhere_when_the_state_directory_cannot_be_written(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(main.program, "get_command", lambda context, name: 1 / 0)
    answer = cli("--state-dir", tmp_path / "file" / "state", "broken")
    assert answer.code == codes.Exit.INTERNAL
    assert "runner-crash-" in answer.err


def test_ctrl_c_before_a_run_exits_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(context: object, name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main.program, "get_command", interrupted)
    assert cli("runs").code == codes.Exit.INTERRUPTED


def test_requested_output_is_found_in_a_command_line_that_cannot_be_parsed() -> None:
    text, json = settings_module.Output.TEXT, settings_module.Output.JSON
    assert failures.requested_output(["x", "-o", "json"], text) is json
    assert failures.requested_output(["x", "--output=json", "--bad"], text) is json
    assert failures.requested_output(["x", "-o"], text) is text
    assert failures.requested_output(["x", "-o", "toml"], text) is text


def test_a_state_directory_that_cannot_be_made_is_told_without_a_report(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blueprint = (
        "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: a}\n"
        "actions: {backup: {phases: [{name: p, func: Pause, args: {duration: 0s}}]}}\n"
    )
    (tmp_path / "blueprint.yaml").write_text(blueprint)
    answer = cli("exec", "blueprint.yaml", "--state-dir", tmp_path / "file" / "state")
    assert answer.code == codes.Exit.ENVIRONMENT
    assert answer.err.startswith("error[RT311]: ")
    assert str(tmp_path / "file") in answer.err


def test_a_state_directory_without_permission_is_told_without_a_report(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(context: object, name: str) -> None:
        raise PermissionError(13, "Permission denied", "/srv/state")

    monkeypatch.setattr(main.program, "get_command", refused)
    answer = cli("runs")
    assert answer.code == codes.Exit.ENVIRONMENT
    assert answer.err.startswith("error[RT311]: /srv/state cannot be used: Permission denied\n")


def test_a_terminal_that_knows_no_signs_shows_them_as_escapes() -> None:
    shown = run("explain", "RT105", PYTHONIOENCODING="ascii")
    assert (shown.returncode, shown.stderr) == (0, "")
    signs = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from runner.cli import console; console.Stream(sys.stdout).line('✓ \\udcff')",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert signs.stdout == "\\u2713 \\udcff\n"


def test_a_working_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    script = 'cd gone && rmdir ../gone && exec "$0" -m runner exec ../b.yaml'
    (tmp_path / "b.yaml").write_text(blueprints.FILES)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(
        ["sh", "-c", script, sys.executable], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == codes.Exit.ENVIRONMENT
    assert ended.stderr == (
        "error[RT311]: the working directory does not exist any more\n  hint: go to another directory\n"
    )


def test_a_state_directory_that_cannot_be_made_is_told(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FAILING)
    answer = cli("exec", "blueprint.yaml", "--state-dir", "/proc/runner")
    assert answer.code == codes.Exit.ENVIRONMENT
    assert answer.err.startswith("error[RT311]: the state directory /proc/runner cannot be made\n")


def with_streams(directory: Path, redirections: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with some of its streams redirected or closed by a shell."""
    blueprints.papers(directory)
    blueprints.write(directory, blueprints.FILES)
    environment = {**os.environ, "RUNNER_STATE_DIR": str(directory / "state"), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-m", "runner", *arguments],
        cwd=directory, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("redirections", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_backup_does_not_need_its_streams(tmp_path: Path, redirections: str) -> None:
    ended = with_streams(tmp_path, redirections, "exec", "blueprint.yaml")
    assert ended.returncode == 0, ended.stderr
    (journal,) = (tmp_path / "state" / "runs").glob("*/journal")
    assert b'"status":"succeeded"' in journal.read_bytes()


def test_a_result_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    ended = with_streams(tmp_path, ">/dev/full", "functions")
    assert ended.returncode == codes.Exit.ENVIRONMENT
    assert ended.stderr.startswith("error[RT311]: the result cannot be written to standard output: ")
