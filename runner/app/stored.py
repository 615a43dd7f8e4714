"""Restore points as data for commands: their JSON form, and reading all their bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from runner.base import cancel, clock, errors, quantities
from runner.base.jsonvalue import JsonObject
from runner.model.restore_point import RestorePoint
from runner.repository import repository as repositories
from runner.repository import verifying


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


class Verified(msgspec.Struct, frozen=True, kw_only=True):
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


def verify(repository: repositories.Repository, point: RestorePoint, progress: Callable[[int, None], None]) -> Verified:
    """Read every byte of a restore point and check it; a damaged export does not keep the others from being read.

    Args:
        repository: Where it is.
        point: The restore point.
        progress: Called with the bytes that were read; nobody knows how many there are in all.
    """
    good, problems, token = 0, [], cancel.CancelToken()

    def report(done: int, _: int | None) -> None:
        progress(good + done, None)

    for export in point.exports:
        try:
            good += verifying.verify_export(repository, export.export, cancel=token, progress=report)
        except errors.RunnerError as error:
            problems.append(error)
    return Verified(point=point, bytes_read=good, problems=tuple(problems))
