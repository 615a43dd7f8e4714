"""Restore points as data for commands: their JSON form, and reading all their bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from runner.base import cancel, clock, errors, ids, quantities
from runner.base.jsonvalue import JsonObject
from runner.model.restore_point import RestorePoint
from runner.repository import repository as repositories
from runner.repository import sequences, streams, tree_entries, volumes


def to_json(point: RestorePoint) -> JsonObject:
    """Return the object that `runner restore-points show -o json` prints."""
    return {
        "id": point.id,
        "created": clock.isoformat(point.created),
        "blueprint": point.blueprint,
        "action": point.action,
        "object": point.object,
        "run": point.run,
        "exportCount": len(point.exports),
        "bytesRead": sum(export.bytes_read for export in point.exports),
        "bytesNew": sum(export.bytes_new for export in point.exports),
        "bytesStored": sum(export.bytes_stored for export in point.exports),
        "inputs": dict(point.inputs),
        "artifacts": dict(point.artifacts),
        "exports": [
            {
                "phase": export.phase,
                "key": export.key,
                "source": export.source,
                "kind": export.kind,
                "id": export.export,
                "bytesRead": export.bytes_read,
                "bytesNew": export.bytes_new,
                "bytesStored": export.bytes_stored,
            }
            for export in point.exports
        ],
        "blueprintText": point.blueprint_text,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What reading a restore point has shown: the bytes that were good, and what was not."""

    point: RestorePoint
    bytes_read: int
    problems: tuple[errors.RunnerError, ...]

    def to_json(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "id": self.point.id,
            "bytesVerified": self.bytes_read,
            "problems": [{"code": problem.code, "message": problem.message} for problem in self.problems],
        }

    def lines(self) -> Iterator[str]:
        """Write it for a person."""
        good = quantities.bytes_for_people(self.bytes_read)
        if not self.problems:
            yield f"✓ {self.point.id[:8]}  {self.point.blueprint}  {good} verified"
            return
        yield f"✗ {self.point.id[:8]}  {self.point.blueprint}  damaged, {good} are good"
        yield from (f"    error[{problem.code}]: {problem.message}" for problem in self.problems)


def verify(repository: repositories.Repository, point: RestorePoint) -> Verified:
    """Read every byte of a restore point and check it; a damaged export does not keep the others from being read."""
    good, problems = 0, []
    for export in point.exports:
        try:
            good += _READERS[export.kind](repository, ids.ExportId(export.export))
        except errors.RunnerError as error:
            problems.append(error)
    return Verified(point=point, bytes_read=good, problems=tuple(problems))


def _read_volume(repository: repositories.Repository, export: ids.ExportId) -> int:
    return volumes.verify_volume(repository, export, cancel=cancel.CancelToken(), progress=_unseen)


def _read_stream(repository: repositories.Repository, export: ids.ExportId) -> int:
    return streams.verify_stream(repository, export, cancel=cancel.CancelToken(), progress=_unseen)


def _read_tree(repository: repositories.Repository, export: ids.ExportId) -> int:
    reader = repository.reader(rehash=True)
    chunks = (
        chunk
        for entry in tree_entries.read(reader, repository.manifest(export))
        if entry.content is not None
        for chunk in sequences.chunks(reader, entry.content)
    )
    return sum(len(data) for data in reader.read(chunks))


def _unseen(*_: object) -> None:
    """Take a report of progress that nobody looks at."""


_READERS: Mapping[str, Callable[[repositories.Repository, ids.ExportId], int]] = MappingProxyType(
    {"volume": _read_volume, "stream": _read_stream, "tree": _read_tree}
)
