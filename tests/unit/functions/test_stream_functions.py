"""BackupStream and RestoreStream with real commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base import clock as clocks
from runner.base import errors, ids, secret
from runner.functions import backup_stream, restore_stream, verify_export
from runner.processes import commands
from runner.registry import argdecode
from runner.registry.args import Outputs
from runner.registry.function import FunctionSpec
from runner.repository import repository
from runner.testing import phase_context
from tests.unit.repository import tree_samples


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[phase_context.FakePhaseContext]:
    token = ids.base32(os.urandom(20), 32)
    repo = tree_samples.new_repository()
    with commands.Commands(tmp_path / "processes", token, clocks.SystemClock()) as opened:
        services = {commands.Commands: opened, repository.Repository: repo}
        yield phase_context.FakePhaseContext(tmp_path / "work", services=services)


def call(ctx: phase_context.FakePhaseContext, spec: FunctionSpec, **arguments: object) -> dict[str, object]:
    result = spec.call(ctx, argdecode.decode(spec, arguments))
    assert isinstance(result, Outputs)
    return result.model_dump()


def backup(ctx: phase_context.FakePhaseContext, script: str) -> dict[str, object]:
    return call(ctx, backup_stream.backup_stream, script=script)


NUMBERS = "".join(f"{number}\n" for number in range(1, 300_001))


def test_what_a_command_writes_comes_back_to_another(ctx: phase_context.FakePhaseContext, tmp_path: Path) -> None:
    made = backup(ctx, "seq 300000; echo done >&2")
    assert made["bytes_read"] == len(NUMBERS)
    assert [line.fields["line"] for line in ctx.log.lines] == ["done"]
    target = tmp_path / "restored"
    restored = call(ctx, restore_stream.restore_stream, export=made["export"], script=f"cat > {target}")
    assert restored == {"bytes": len(NUMBERS)}
    assert target.read_text() == NUMBERS
    proved = call(ctx, verify_export.verify_export, export=made["export"])
    assert proved == {"kind": "stream", "files": 0, "bytes": len(NUMBERS)}


def test_an_export_is_found_by_its_token(ctx: phase_context.FakePhaseContext) -> None:
    made = backup(ctx, "seq 10")
    spec = backup_stream.backup_stream
    assert spec.find is not None
    found = spec.find(ctx, argdecode.decode(spec, {"script": "seq 10"}), ctx.token)
    assert found is not None
    assert found.model_dump() == made


def test_a_command_that_fails_after_writing_leaves_no_export(ctx: phase_context.FakePhaseContext) -> None:
    with pytest.raises(errors.PermanentError) as caught:
        backup(ctx, "seq 300000; echo no more disk >&2; exit 3")
    assert (caught.value.code, caught.value.details) == ("RT206", "no more disk")
    assert "exit code 3" in caught.value.message
    assert ctx.service(repository.Repository).find_export(ctx.token) is None


def test_a_command_that_is_killed_leaves_no_export(ctx: phase_context.FakePhaseContext) -> None:
    with pytest.raises(errors.PermanentError) as caught:
        backup(ctx, "seq 300000; kill -9 $$")
    assert "SIGKILL" in caught.value.message
    assert ctx.service(repository.Repository).find_export(ctx.token) is None


def test_a_missing_program_leaves_no_export(ctx: phase_context.FakePhaseContext) -> None:
    with pytest.raises(errors.EnvironmentProblem) as caught:
        call(ctx, backup_stream.backup_stream, command=["no-such-program"])
    assert caught.value.code == "RT205"
    assert ctx.service(repository.Repository).find_export(ctx.token) is None


def test_an_empty_stream_is_a_warning(ctx: phase_context.FakePhaseContext, tmp_path: Path) -> None:
    made = backup(ctx, "true")
    assert ctx.warnings == ["the script wrote nothing: the export is empty"]
    target = tmp_path / "restored"
    assert call(ctx, restore_stream.restore_stream, export=made["export"], script=f"cat > {target}") == {"bytes": 0}
    assert target.read_bytes() == b""


def test_a_command_that_does_not_read_everything_fails(ctx: phase_context.FakePhaseContext) -> None:
    made = backup(ctx, "seq 300000")
    with pytest.raises(errors.PermanentError) as caught:
        call(ctx, restore_stream.restore_stream, export=made["export"], script="head -n 1; echo enough >&2")
    assert caught.value.code == "RT206"
    assert caught.value.message == "the script did not read the whole stream and ended with exit code 0"
    assert caught.value.details == "enough"


def test_a_command_that_fails_early_shows_its_last_words(ctx: phase_context.FakePhaseContext) -> None:
    made = backup(ctx, "seq 300000")
    with pytest.raises(errors.PermanentError) as caught:
        call(ctx, restore_stream.restore_stream, export=made["export"], script="echo broken >&2; exit 9")
    assert (caught.value.code, caught.value.details) == ("RT206", "broken")


def test_secrets_reach_the_command_and_nothing_else(ctx: phase_context.FakePhaseContext, tmp_path: Path) -> None:
    password = secret.Secret("inputs.password", lambda: "correct horse")
    script = 'test "$PASSWORD" = "correct horse"; echo "$PASSWORD" >&2; seq 3'
    made = call(ctx, backup_stream.backup_stream, script=script, env={"PASSWORD": password})
    assert [line.fields["line"] for line in ctx.log.lines] == [secret.MASK]
    assert "correct horse" not in str(made)


def test_a_cancelled_dump_ends_its_command_and_leaves_no_export(ctx: phase_context.FakePhaseContext) -> None:
    progress = ctx.progress

    def cancel_in_the_middle(completed: int, total: int | None, unit: str, description: str = "") -> None:
        progress(completed, total, unit, description)
        ctx.cancel.cancel()

    ctx.progress = cancel_in_the_middle  # type: ignore[method-assign]
    with pytest.raises(errors.Cancelled):
        backup(ctx, "while :; do seq 100000; done")
    assert ctx.service(repository.Repository).find_export(ctx.token) is None
