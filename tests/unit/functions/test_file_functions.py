"""The functions over files, as the engine calls them."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from runner.base import errors, ids, own_places, temporary
from runner.functions import (
    backup_files,
    copy_files,
    delete_export,
    restore_files,
    tree_arguments,
    verify_export,
)
from runner.registry import argcheck, argdecode
from runner.registry.args import Outputs
from runner.registry.function import FunctionSpec
from runner.repository import repository
from runner.testing import phase_context
from tests.unit.repository import tree_samples


@pytest.fixture
def repo() -> repository.Repository:
    return tree_samples.new_repository()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    for number in range(5):
        (directory / f"{number}.txt").write_bytes(random.Random(number).randbytes(1000))
    (directory / "debug.log").write_text("noise")
    return directory


def context(tmp_path: Path, repo: repository.Repository, phase: str, **facts: object) -> phase_context.FakePhaseContext:
    return phase_context.FakePhaseContext(
        tmp_path / "work" / phase,
        services={
            repository.Repository: repo,
            own_places.OwnPlaces: own_places.OwnPlaces(paths=[tmp_path / "source" / "state"]),
        },
        phase=phase,
        **facts,  # type: ignore[arg-type]
    )


def call(ctx: phase_context.FakePhaseContext, spec: FunctionSpec, **arguments: object) -> dict[str, object]:
    result = spec.call(ctx, argdecode.decode(spec, arguments))
    assert result is None or isinstance(result, Outputs)
    return {} if result is None else result.model_dump()


def test_files_are_backed_up_found_again_proved_and_restored(
    tmp_path: Path, repo: repository.Repository, source: Path
) -> None:
    ctx = context(tmp_path, repo, "files")
    spec = backup_files.backup_files
    made = call(ctx, spec, paths=[str(source)], exclude=["*.log"])
    assert (made["files"], made["unchanged"], made["bytes_read"], made["bytes_new"]) == (5, 0, 5000, 5000)
    assert ctx.reports[-1].completed == 5000

    arguments = argdecode.decode(spec, {"paths": [str(source)], "exclude": ["*.log"]})
    assert spec.find is not None
    found = spec.find(ctx, arguments, ctx.token)
    assert found is not None
    assert found.model_dump() == made
    assert spec.find(ctx, arguments, "another token") is None

    proved = call(context(tmp_path, repo, "verify"), verify_export.verify_export, export=made["export"])
    assert proved == {"kind": "tree", "files": 5, "bytes": 5000}

    target = tmp_path / "restored"
    restored = call(
        context(tmp_path, repo, "restore"), restore_files.restore_files, export=made["export"], target=str(target)
    )
    assert restored == {"target": str(target), "files": 5, "bytes": 5000}
    assert sorted(os.listdir(target / "source")) == [f"{number}.txt" for number in range(5)]


def test_a_scratch_restore_takes_blocks_of_files_and_directories_without_holes(
    tmp_path: Path, repo: repository.Repository, source: Path
) -> None:
    with (source / "sparse").open("wb") as file:
        file.truncate(1 << 30)
        file.write(b"x" * 5000)
    made = call(context(tmp_path, repo, "files"), backup_files.backup_files, paths=[str(source)])
    blocks = 1 + 6 + 2  # the directory, the small files, what is no hole

    def prove(most: int) -> dict[str, object]:
        ctx = context(tmp_path, repo, "verify")
        ctx.services[temporary.TemporarySpace] = temporary.TemporarySpace(most)
        try:
            return call(ctx, verify_export.verify_export, export=made["export"])
        finally:
            assert list(ctx.work.iterdir()) == []

    assert prove(blocks * 4096)["files"] == 7
    with pytest.raises(errors.EnvironmentProblem, match=r"the scratch restore of \w+ needs 36\.0 KiB") as caught:
        prove(blocks * 4096 - 1)
    assert caught.value.code == "RT317"


@pytest.mark.parametrize("spec", [restore_files.restore_files, copy_files.copy_files])
def test_looking_for_what_a_killed_attempt_wrote_removes_what_is_unfinished(
    tmp_path: Path, repo: repository.Repository, spec: FunctionSpec
) -> None:
    ctx = context(tmp_path, repo, "killed")
    target = tmp_path / "restored"
    (target / f".{ctx.token}.partial" / "source").mkdir(parents=True)
    given = {"paths": ["/"]} if spec is copy_files.copy_files else {"export": "unknown"}
    arguments = argdecode.decode(spec, {"target": str(target), **given})
    assert spec.find is not None
    for _ in range(2):
        assert spec.find(ctx, arguments, ctx.token) is None
        assert list(target.iterdir()) == []


def test_the_runner_does_not_back_up_itself(tmp_path: Path, repo: repository.Repository, source: Path) -> None:
    (source / "state" / "below").mkdir(parents=True)
    (source / "state" / "below" / "pack").write_text("of the repository")
    ctx = context(tmp_path, repo, "files")
    made = call(ctx, backup_files.backup_files, paths=[str(source)])
    assert (made["files"], ctx.warnings) == (6, ["source/state belongs to the runner itself and was left out"])
    for root in (source / "state", source / "state" / "below"):
        with pytest.raises(errors.PermanentError) as caught:
            call(context(tmp_path, repo, "refused"), backup_files.backup_files, paths=[str(root)])
        assert caught.value.code == "RT316"


@pytest.mark.parametrize("exists", [False, True])
def test_a_directory_is_copied_into_itself_once(
    tmp_path: Path, repo: repository.Repository, source: Path, exists: bool
) -> None:
    target = source / "copy"
    if exists:
        target.mkdir()
    call(context(tmp_path, repo, "copy"), copy_files.copy_files, paths=[str(source)], target=str(target))
    assert len(list((target / "source").glob("*.txt"))) == 5
    assert [path for path in (target / "source").rglob("*.partial") if path.is_dir()] == []


def test_the_latest_restore_point_of_the_same_paths_is_the_base(
    tmp_path: Path, repo: repository.Repository, source: Path
) -> None:
    for file in source.iterdir():
        os.utime(file, ns=(1, 1))
    paths = [str(source), str(source / "debug.log")]
    first = call(context(tmp_path, repo, "one"), backup_files.backup_files, paths=paths)
    assert repo.manifest(ids.ExportId(str(first["export"]))).source == ", ".join(paths)
    ctx = context(tmp_path, repo, "two", bases={", ".join(paths): first["export"]})
    made = call(ctx, backup_files.backup_files, paths=paths)
    assert made["bytes_new"] == 0
    assert ctx.log.lines[-1].fields["method"] == "changed"


def test_a_restore_needs_leave_to_write_over_data(tmp_path: Path, repo: repository.Repository, source: Path) -> None:
    made = call(context(tmp_path, repo, "files"), backup_files.backup_files, paths=[str(source)])
    arguments = {"export": made["export"], "target": str(tmp_path)}
    with pytest.raises(errors.EnvironmentProblem) as caught:
        call(context(tmp_path, repo, "refused"), restore_files.restore_files, **arguments)
    assert caught.value.code == "RT310"
    (source / "0.txt").write_text("changed")
    call(context(tmp_path, repo, "allowed", overwrite=True), restore_files.restore_files, **arguments)
    assert (source / "0.txt").read_bytes() == random.Random(0).randbytes(1000)


def test_files_are_copied_with_their_metadata(tmp_path: Path, repo: repository.Repository, source: Path) -> None:
    os.link(source / "0.txt", source / "zero")
    with (source / "sparse").open("wb") as file:
        file.truncate(1 << 20)
        os.pwrite(file.fileno(), b"x", 1 << 19)
    (source / "0.txt").chmod(0o600)
    os.utime(source / "1.txt", ns=(5, 5))
    (source / "debug.log").unlink()
    target = tmp_path / "copies"
    copied = call(
        context(tmp_path, repo, "copy"),
        copy_files.copy_files,
        paths=[str(source)],
        target=str(target),
        exclude=["*.log"],
    )
    assert copied == {"target": str(target), "files": 6, "bytes": 5000 + 4096}
    assert tree_samples.account(target / "source") == tree_samples.account(source)


def test_a_copy_replaces_only_when_told_to(tmp_path: Path, repo: repository.Repository, source: Path) -> None:
    arguments: dict[str, object] = {"paths": [str(source)], "target": str(tmp_path / "copies")}
    call(context(tmp_path, repo, "one"), copy_files.copy_files, **arguments)
    (source / "0.txt").write_text("newer")
    with pytest.raises(errors.EnvironmentProblem) as caught:
        call(context(tmp_path, repo, "two"), copy_files.copy_files, **arguments)
    assert caught.value.code == "RT310"
    call(context(tmp_path, repo, "three"), copy_files.copy_files, **arguments, overwrite=True)
    assert (tmp_path / "copies" / "source" / "0.txt").read_text() == "newer"


def test_an_export_is_deleted_and_deleting_it_again_is_no_error(
    tmp_path: Path, repo: repository.Repository, source: Path
) -> None:
    ctx = context(tmp_path, repo, "files")
    made = call(ctx, backup_files.backup_files, paths=[str(source)])
    for _ in range(2):
        call(ctx, delete_export.delete_export, export=made["export"])
    assert repo.find_export(ctx.token) is None
    with pytest.raises(errors.PermanentError) as caught:
        call(ctx, verify_export.verify_export, export=made["export"])
    assert caught.value.code == "RT417"


@pytest.mark.parametrize(
    "arguments",
    [
        {"paths": []},
        {"paths": ["relative"]},
        {"paths": ["/x"], "exclude": ["!"]},
        {"paths": ["/x"], "unreadable": "ignore"},
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises((errors.RunnerError, ValueError)):
        argdecode.decode(backup_files.backup_files, arguments)


def test_progress_is_in_bytes(tmp_path: Path, repo: repository.Repository) -> None:
    ctx = context(tmp_path, repo, "files")
    tree_arguments.report(ctx, "subject", 10)(3)
    assert ctx.reports == [phase_context.Progress(completed=3, total=10, unit="bytes", description="subject")]


@pytest.mark.parametrize("pattern", ["[z-a]", "!", "a\\"])
def test_what_is_no_pattern_is_refused_before_anything_runs(pattern: str) -> None:
    problems = argcheck.check_arguments(
        backup_files.backup_files,
        {"paths": ["/srv"], "exclude": ["*.log", pattern]},
        is_template=lambda _: False,
        example=lambda text: text,
    )
    (problem,) = problems
    assert problem.code == "KB504"
    assert "is not a pattern such as .gitignore holds" in problem.message
