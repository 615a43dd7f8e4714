"""RunCommand and WaitUntil: real commands on the machine of the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import errors, ids, secret
from runner.functions import run_command, wait_until
from runner.processes import commands, procfs
from runner.registry import argdecode
from runner.registry.function import FunctionSpec
from runner.testing import phase_context


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[phase_context.FakePhaseContext]:
    token = ids.base32(os.urandom(20), 32)
    with commands.Commands(tmp_path / "processes", token, clocks.SystemClock()) as opened:
        yield phase_context.FakePhaseContext(tmp_path / "work", services={commands.Commands: opened})
    entry = f"RUNNER_TOKEN={token}".encode()
    assert [pid for pid in procfs.all_pids() if entry in procfs.environment_of(pid)] == []


def call(ctx: phase_context.FakePhaseContext, spec: FunctionSpec, **arguments: object) -> dict[str, object]:
    result = spec.call(ctx, argdecode.decode(spec, arguments))
    return {} if result is None else result.model_dump()  # type: ignore[union-attr]


def run(ctx: phase_context.FakePhaseContext, **arguments: object) -> dict[str, object]:
    return call(ctx, run_command.run_command, **arguments)


def logged(ctx: phase_context.FakePhaseContext, stream: str) -> list[object]:
    return [line.fields["line"] for line in ctx.log.lines if line.fields.get("stream") == stream]


def password(value: str) -> secret.Secret:
    return secret.Secret("inputs.password", lambda: value)


def test_outputs_come_from_marked_lines_and_from_the_file(ctx: phase_context.FakePhaseContext) -> None:
    script = """
        echo '###Phase-output###: {"key": "rows", "value": "42"}'
        echo '###Phase-output###: {"key": "size", "value": "1"}'
        echo size=2 >> "$RUNNER_OUTPUT_FILE"
        echo text
    """
    assert run(ctx, script=script) == {"rows": "42", "size": "2"}
    assert logged(ctx, "stdout") == ["text"]


def test_outputs_of_an_earlier_attempt_are_not_taken(ctx: phase_context.FakePhaseContext) -> None:
    assert run(ctx, script='echo a=1 > "$RUNNER_OUTPUT_FILE"') == {"a": "1"}
    assert run(ctx, script="true") == {}


def test_an_output_may_have_any_name(ctx: phase_context.FakePhaseContext) -> None:
    names = ["model_dump", "json", "copy", "self", "__class__", "model_config"]
    script = "\n".join(f'echo {name}=x >> "$RUNNER_OUTPUT_FILE"' for name in names)
    assert run(ctx, script=script) == dict.fromkeys(names, "x")


def test_a_command_knows_its_run_and_phase(
    ctx: phase_context.FakePhaseContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNNER_PASSPHRASE", "hunter22")
    monkeypatch.setenv("PGHOST", "db")
    run(ctx, script='echo $RUNNER_RUN_ID $RUNNER_PHASE $PGHOST ${RUNNER_PASSPHRASE-none}; pwd; echo "$RUNNER_WORK"')
    assert logged(ctx, "stdout") == ["testrun0 phase db none", str(ctx.work), str(ctx.work)]


def test_a_working_directory_and_variables_can_be_given(ctx: phase_context.FakePhaseContext, tmp_path: Path) -> None:
    run(ctx, command=["sh", "-c", "pwd; echo $A$B"], workdir=str(tmp_path), env={"A": "x", "B": "y"})
    assert logged(ctx, "stdout") == [str(tmp_path), "xy"]


def test_secrets_reach_the_command_and_nothing_else(ctx: phase_context.FakePhaseContext) -> None:
    script = 'echo "got $PASSWORD"; read line; echo "read $line" >&2; cat /proc/$$/cmdline >&2; exit 1'
    with pytest.raises(errors.PermanentError) as caught:
        run(ctx, script=script, env={"PASSWORD": password("hunter22")}, stdin=password("swordfish\n"))
    assert logged(ctx, "stdout") == ["got [secret]"]
    assert logged(ctx, "stderr")[0] == "read [secret]"
    assert "hunter22" not in str(logged(ctx, "stderr"))
    # The engine redacts errors on their way to the journal, with the same redactor.
    assert "swordfish" not in ctx.redactor.clean(caught.value.details)
    assert list(ctx.work.iterdir()) == []


def test_a_command_finds_its_files_and_nobody_does_afterwards(
    ctx: phase_context.FakePhaseContext, tmp_path: Path
) -> None:
    script = 'cat "$RUNNER_FILES/my.cnf" "$RUNNER_FILES/plain"; stat -c %a "$RUNNER_FILES" "$RUNNER_FILES"/*; pwd'
    run(
        ctx,
        script=f'{script}; echo "$RUNNER_FILES" > "{tmp_path}/place"',
        files={"my.cnf": password("hunter22\n"), "plain": "x\n"},
    )
    assert logged(ctx, "stdout") == ["[secret]", "x", "700", "600", "600", str(ctx.work)]
    place = Path((tmp_path / "place").read_text().strip())
    assert place.parent.is_dir()
    assert not place.exists()


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", ""])
def test_a_file_must_have_a_plain_name(ctx: phase_context.FakePhaseContext, name: str) -> None:
    with pytest.raises(errors.PermanentError):
        run(ctx, script="true", files={name: "x"})


@pytest.mark.parametrize("argument", [{"script": password("x")}, {"command": ["echo", password("x")]}])
def test_secrets_are_refused_where_others_would_see_them(
    ctx: phase_context.FakePhaseContext, argument: dict[str, object]
) -> None:
    with pytest.raises(errors.PermanentError) as caught:
        run(ctx, **argument)
    assert caught.value.code == "KB702"


def test_a_failure_says_how_it_ended_and_shows_the_last_lines(ctx: phase_context.FakePhaseContext) -> None:
    with pytest.raises(errors.PermanentError, match="the script ended with exit code 7") as caught:
        run(ctx, script="seq 100 >&2; echo unrelated; exit 7")
    assert caught.value.code == "RT206"
    assert caught.value.details.splitlines() == [str(number) for number in range(81, 101)]
    with pytest.raises(errors.PermanentError, match="sh ended with signal SIGKILL") as caught:
        run(ctx, command=["/bin/sh", "-c", "echo on stdout; kill -9 $$"])
    assert caught.value.details == "on stdout"


def test_a_script_stops_at_the_first_failure_and_at_an_unset_variable(ctx: phase_context.FakePhaseContext) -> None:
    for script in ("false\necho on", "echo $unset_variable\necho on"):
        with pytest.raises(errors.PermanentError):
            run(ctx, script=script)
    assert logged(ctx, "stdout") == []


def test_other_exit_codes_can_mean_success(ctx: phase_context.FakePhaseContext) -> None:
    assert run(ctx, script="exit 3", successCodes=[0, 3]) == {}
    with pytest.raises(errors.PermanentError):
        run(ctx, script="exit 0", successCodes=[3])


def test_a_broken_output_fails_a_command_that_succeeded(ctx: phase_context.FakePhaseContext) -> None:
    for script in ("echo '###Phase-output###: no'", 'echo nonsense > "$RUNNER_OUTPUT_FILE"'):
        with pytest.raises(errors.PermanentError) as caught:
            run(ctx, script=script)
        assert caught.value.code == "RT207"


def test_an_output_longer_than_the_limit_fails(ctx: phase_context.FakePhaseContext) -> None:
    with pytest.raises(errors.PermanentError, match="longer than the outputLimit of 3 bytes, for the key a"):
        run(ctx, script='echo a=1234 > "$RUNNER_OUTPUT_FILE"', outputLimit=3)


class CancellingLogger(phase_context.MemoryLogger):
    """Cancels as soon as the command says something."""

    def __init__(self, ctx: phase_context.FakePhaseContext, reason: cancels.Reason) -> None:
        super().__init__(ctx.redactor)
        self._ctx, self._reason = ctx, reason

    def info(self, event: str, **fields: object) -> None:
        self._ctx.cancel.cancel(self._reason)


@pytest.mark.parametrize(
    ("reason", "expected"), [(cancels.Reason.CANCELLED, errors.Cancelled), (cancels.Reason.TIMEOUT, errors.TimedOut)]
)
def test_cancelling_ends_the_command(
    ctx: phase_context.FakePhaseContext, reason: cancels.Reason, expected: type[errors.RunnerError]
) -> None:
    ctx.log = CancellingLogger(ctx, reason)
    with pytest.raises(expected):
        run(ctx, script="echo ready; sleep 60 & sleep 60")


def test_either_a_command_or_a_script_is_needed(ctx: phase_context.FakePhaseContext) -> None:
    for arguments in ({}, {"command": ["true"], "script": "true"}):
        with pytest.raises(errors.PermanentError, match="exactly one of command, script") as caught:
            run(ctx, **arguments)
        assert caught.value.code == "KB505"


def test_waiting_ends_when_the_command_succeeds(ctx: phase_context.FakePhaseContext) -> None:
    script = "echo x >> looks; test $(wc -l < looks) -ge 3"
    call(ctx, wait_until.wait_until, script=script, interval="1ms", timeout="1m")
    assert (ctx.work / "looks").read_text() == "x\n" * 3


def test_waiting_ends_when_the_path_exists(tmp_path: Path) -> None:
    class Clock(clocks.FakeClock):
        def advance(self, seconds: float) -> None:
            super().advance(seconds)
            if self.monotonic() >= 6:
                (tmp_path / "ready").touch()

    ctx = phase_context.FakePhaseContext(tmp_path / "work", clock=Clock())
    call(ctx, wait_until.wait_until, path=str(tmp_path / "ready"), interval="2s")
    assert 6 <= ctx.clock.monotonic() < 6 + 2.2


def test_giving_up_says_what_was_waited_for_and_what_was_last_seen(ctx: phase_context.FakePhaseContext) -> None:
    ctx.clock = clocks.FakeClock()
    ctx.cancel = cancels.CancelToken(ctx.clock)
    script = ctx.work / "pg_isready"
    script.write_text("#!/bin/sh\necho no response; exit 2")
    script.chmod(0o700)
    with pytest.raises(errors.TimedOut, match="for pg_isready to succeed") as caught:
        call(ctx, wait_until.wait_until, command=[str(script)], interval="1s", timeout="3s")
    assert caught.value.details == "no response"


def test_waiting_for_a_missing_program_fails_at_once(ctx: phase_context.FakePhaseContext) -> None:
    with pytest.raises(errors.EnvironmentProblem) as caught:
        call(ctx, wait_until.wait_until, command=["no-such-program"])
    assert caught.value.code == "RT205"


def test_the_pause_between_looks_is_a_duration() -> None:
    decoded = argdecode.decode(wait_until.wait_until, {"path": "/x", "interval": "1m30s"})
    assert decoded.interval == timedelta(seconds=90)  # type: ignore[attr-defined]
    for wrong in ("soon", 5):
        with pytest.raises(errors.PermanentError, match="a duration"):
            argdecode.decode(wait_until.wait_until, {"path": "/x", "interval": wrong})


@pytest.mark.parametrize("flood", ["seq 30000", "head -c 20000000 /dev/zero | tr '\\0' x"])
def test_a_flood_reaches_the_log_in_part_and_the_protocol_as_a_whole(
    ctx: phase_context.FakePhaseContext, flood: str
) -> None:
    script = f"""{flood}; echo; echo '###Phase-output###: {{"key": "rows", "value": "42"}}'"""
    assert run(ctx, script=script) == {"rows": "42"}
    *said, last = ctx.log.lines
    assert 0 < len(said) <= 10_000
    assert sum(len(str(line.fields["line"])) for line in said) <= 4 << 20
    assert last.event == "command.output_dropped"
    assert isinstance(last.fields["count"], int)
    assert last.fields["count"] > 0


def test_what_a_failing_command_dropped_is_counted(ctx: phase_context.FakePhaseContext) -> None:
    with pytest.raises(errors.PermanentError) as caught:
        run(ctx, script="seq 12000 >&2; exit 1")
    assert ctx.log.lines[-1].fields["count"] == 2000
    assert caught.value.details.endswith("\n12000")


def test_the_hint_of_a_silent_failure_speaks_of_no_output(ctx: phase_context.FakePhaseContext) -> None:
    with pytest.raises(errors.PermanentError) as caught:
        run(ctx, script="exit 1")
    assert "above" not in caught.value.hint


def test_an_output_that_the_phase_does_not_declare_is_a_warning(ctx: phase_context.FakePhaseContext) -> None:
    ctx.declared_outputs = {"rows": False}
    run(ctx, script='for key in rows size size; do echo "$key=1" >> "$RUNNER_OUTPUT_FILE"; done')
    assert ctx.warnings == ['the command wrote an output "size" that the phase does not declare']


def test_a_secret_output_is_masked_in_what_the_command_says_after_it(ctx: phase_context.FakePhaseContext) -> None:
    ctx.declared_outputs = {"token": True, "rows": False}
    record = """echo '###Phase-output###: {"key": "%s", "value": "%s"}'"""
    script = "\n".join([record % ("token", "hunter22"), record % ("rows", "1234"), "echo hunter$((20+2)) 1234"])
    assert run(ctx, script=script) == {"token": "hunter22", "rows": "1234"}
    assert logged(ctx, "stdout") == ["[secret] 1234"]
