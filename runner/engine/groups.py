"""Concurrency groups: of all runs of one group, one goes on at a time, until it has ended.

The record of a group names its owner and who waits, in the order in which they came. Its lock guards only the record: a
group belongs to a run, not to a process, so an interrupted run keeps its group until it is resumed or cancelled.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from runner.base import errors, files, ids
from runner.engine import events
from runner.engine.runs import RunDirectory

_DIRECTORY = "groups"
_LOCK = ".lock"


class Busy(msgspec.Struct, frozen=True):
    """The run that has a group, or has it next; `message` says so in one sentence, `hint` what can be done."""

    run: str
    message: str
    hint: str

    def error(self) -> events.ErrorValue:
        """Return the error of a run that does not wait."""
        return events.ErrorValue(code="RT217", kind="permanent", message=self.message, hint=self.hint)


def admit(run: RunDirectory, group: str, *, queue: bool) -> Busy | None:
    """Give a group to a run, or say which run it has to wait for; asking again is harmless.

    Args:
        run: The run, which must be driven by the caller.
        group: The name of the group.
        queue: Whether to keep the run's place among those that wait.
    """
    with _record(run, group) as record:
        owner, waiting = record["owner"], record["waiting"]
        if owner == run.id:
            return None
        if owner is not None and not _is_over(_sibling(run, owner)):
            if queue and run.id not in waiting:
                waiting.append(run.id)
            return _busy(_sibling(run, owner), group)
        for name in waiting[: waiting.index(run.id)] if run.id in waiting else waiting:
            if _sibling(run, name).is_driven:
                return _busy(_sibling(run, name), group)
        record["owner"] = run.id
        record["waiting"] = [name for name in waiting if name != run.id and _sibling(run, name).is_driven]
        return None


def release(run: RunDirectory, group: str) -> None:
    """Take a group from a run that has ended."""
    with _record(run, group) as record:
        if record["owner"] == run.id:
            record["owner"] = None


def sweep(state_dir: Path) -> None:
    """Remove what processes have left that were killed while they wrote the record of a group."""
    for partial in state_dir.glob(f"{_DIRECTORY}/.*.partial"):
        # Who has the lock knows that nobody is writing.
        with _locked(partial.with_name(partial.name.split(".")[1] + _LOCK)):
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _record(run: RunDirectory, group: str) -> Iterator[dict[str, Any]]:
    """Hold the record of a group; what the context made of it is stored."""
    directory = run.path.parent.parent / _DIRECTORY
    files.make_directories(directory)
    path = directory / f"{ids.token(group)}.json"
    with _locked(path.with_suffix(_LOCK)):
        before = path.read_text(encoding="utf-8") if path.exists() else "{}"
        record: dict[str, Any] = {"group": group, "owner": None, "waiting": [], **json.loads(before)}
        yield record
        after = json.dumps(record, ensure_ascii=False)
        if after != before:
            files.write_atomically(path, after.encode())


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sibling(run: RunDirectory, name: str) -> RunDirectory:
    return RunDirectory(run.path.parent / name)


def _is_over(run: RunDirectory) -> bool:
    """Tell whether a run has ended, or is no more; one that cannot be read is not over."""
    if not run.journal.exists():
        return True
    try:
        return not run.is_driven and run.state().is_finished
    except errors.RunnerError:
        return False


def _busy(run: RunDirectory, group: str) -> Busy:
    if run.is_driven:
        return Busy(run.id, f'run {run.id} has the group "{group}"', f"follow it with: runner logs {run.id} -f")
    return Busy(
        run.id,
        f'run {run.id} has the group "{group}", and is interrupted or waits for a person',
        f"see `runner show {run.id}`; end it with `runner resume {run.id}` or `runner cancel {run.id}`",
    )
