"""Runs on disk: `STATE_DIR/runs/ID/` with journal, lock, inbox, sealed values, process records, work and log."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from runner.base import clock as clocks
from runner.base import errors, files, ids, secret, suggest
from runner.engine import events, journal_file, locking
from runner.engine import request as requests
from runner.engine.run_state import RunState
from runner.engine.sealed import Sealed

_KEEP_FOR = timedelta(days=30)
_KEEP_LATEST = 100
_PARTIAL = ".new-"


class RunDirectory:
    """The files of one run; knows where things are and who holds the lock, nothing of what they mean."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = ids.RunId(path.name)
        self.journal = path / "journal"
        self.inbox = path / "inbox"
        self.processes = path / "processes"
        self.work = path / "work"
        self.log = path / "log.jsonl"
        self.sealed = Sealed(path / "sealed")

    def records(self) -> list[events.Record]:
        """Read the journal; somebody else may be writing it."""
        return journal_file.load(self.journal)

    def request(self, created: events.RunCreated) -> requests.Request:
        """Return what the run was asked to do, with its sealed inputs as placeholders."""
        return requests.from_json(created.request, lambda name: self.sealed.secret(f"inputs.{name}"))

    def state(self) -> RunState:
        """Fold the journal as it is now."""
        return fold(self, self.records())

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run's lock: the one driver at a time.

        Raises:
            EnvironmentProblem: RT211 if another process holds it.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._acquire(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int) -> None:
        if not locking.acquire(descriptor):
            holder = os.pread(descriptor, 32, 0).decode() or "that has just begun"
            raise errors.EnvironmentProblem(
                f"run {self.id} is driven by process {holder}",
                code="RT211",
                hint=f"follow it with: runner logs {self.id} -f",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)

    @property
    def is_driven(self) -> bool:
        """Whether some process drives the run now; asking never stands in the way of one."""
        return locking.is_held(self.path / "lock")

    def clear_transient(self) -> None:
        """Remove what only a run that goes on needs: secrets, work files, process records, requests."""
        self.sealed.delete()
        for path in (self.work, self.processes, self.inbox):
            shutil.rmtree(path, ignore_errors=True)


def fold(directory: RunDirectory, records: list[events.Record]) -> RunState:
    """Return the state after these records."""
    created = records[0].event if records else None
    if not isinstance(created, events.RunCreated):
        raise errors.PermanentError(
            f"the journal of run {directory.id} does not start with its creation",
            code="RT213",
            hint="remove the run's directory and start a new run",
        )
    state = RunState(directory.request(created).plan)
    for record in records:
        state.apply(record)
    return state


class Runs:
    """All runs under a state directory."""

    def __init__(self, state_dir: Path, clock: clocks.Clock) -> None:
        self._root = state_dir / "runs"
        self._clock = clock

    def create(self, request: requests.Request, run_id: str | None = None) -> RunDirectory:
        """Make a run: it exists completely or not at all.

        Raises:
            UsageError: RT104 if the id is taken or not an id.
        """
        files.make_directories(self._root)
        name = self._free_id(run_id)
        partial = RunDirectory(self._root / f"{_PARTIAL}{files.temporary_name()}")
        try:
            partial.path.mkdir(mode=0o700)
            self._fill(partial, request, name)
            partial.path.rename(self._root / name)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise _taken(name) from error
            problem = files.problem_of(error, self._root)
            if problem is None:
                raise
            raise problem from error
        finally:
            shutil.rmtree(partial.path, ignore_errors=True)
        files.flush_directory(self._root)
        return RunDirectory(self._root / name)

    def _free_id(self, run_id: str | None) -> ids.RunId:
        if run_id is None:
            return ids.new_run_id()
        if not ids.is_id(run_id):
            raise errors.UsageError(
                f'"{run_id}" cannot be a run id',
                code="RT104",
                hint="take 8 to 64 lower-case letters and digits, without i, l, o and u",
            )
        if (self._root / run_id).exists():
            raise _taken(run_id)
        return ids.RunId(run_id)

    def _fill(self, partial: RunDirectory, request: requests.Request, name: ids.RunId) -> None:
        for label, value in request.inputs.items():
            if isinstance(value, secret.Secret):
                partial.sealed.put(f"inputs.{label}", value.reveal())
        created = events.RunCreated(
            run=name, nonce=ids.base32(ids.random_bytes(16), 24), request=requests.to_json(request)
        )
        at = clocks.isoformat(self._clock.now())
        journal_file.create(partial.journal, events.Record(seq=0, at=at, elapsed=0.0, event=created))
        files.flush_directory(partial.path)

    def find(self, prefix: str) -> RunDirectory:
        """Return the run whose id starts with a text.

        Raises:
            UsageError: RT105 if there is none, RT420 if there are several.
        """
        names = [run.id for run in self.all()]
        found = [name for name in names if name.startswith(prefix)] if prefix else []
        if prefix in found:
            found = [ids.RunId(prefix)]
        if not found:
            raise errors.UsageError(f'there is no run "{prefix}"', code="RT105", hint=_nearest(prefix, names))
        if len(found) > 1:
            raise errors.UsageError(
                f'"{prefix}" is the start of {len(found)} run ids',
                code="RT420",
                hint=f"write more of it: {', '.join(found[:5])}",
            )
        return RunDirectory(self._root / found[0])

    def all(self) -> list[RunDirectory]:
        """Return all runs, the newest first."""
        if not self._root.is_dir():
            return []
        paths = [path for path in self._root.iterdir() if ids.is_id(path.name) and (path / "journal").exists()]
        return [
            RunDirectory(path)
            for path in sorted(paths, key=lambda path: journal_file.created_at(path / "journal"), reverse=True)
        ]

    def _sweep(self) -> None:
        """Remove what a process left behind that died while it made a run: sealed secrets may be in it."""
        if not self._root.is_dir():
            return
        with os.scandir(self._root) as entries:
            for entry in entries:
                if files.is_leftover(entry, self._clock.now(), prefix=_PARTIAL):
                    shutil.rmtree(entry.path)

    def expire(self) -> list[ids.RunId]:
        """Remove runs that ended more than 30 days ago, but never one of the latest 100; and what was never a run."""
        self._sweep()
        removed = []
        for run in self.all()[_KEEP_LATEST:]:
            state = run.state()
            if state.finished_at and self._clock.now() - clocks.parse_isoformat(state.finished_at) > _KEEP_FOR:
                shutil.rmtree(run.path)
                removed.append(run.id)
        return removed


def _taken(name: str) -> errors.UsageError:
    return errors.UsageError(
        f'there is a run "{name}" already', code="RT104", hint=f"resume it with: runner resume {name}"
    )


def _nearest(prefix: str, names: list[ids.RunId]) -> str:
    """Suggest the run that was probably meant, else the newest ones."""
    best = suggest.closest(prefix, names)
    if best is not None:
        return f'did you mean "{best}"?'
    return f"the newest are: {', '.join(names[:3])}" if names else "there are no runs yet"
