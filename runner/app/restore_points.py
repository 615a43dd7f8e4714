"""Restore points in the eyes of runs: which one is meant, which one is the base of the next, and storing a new one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from runner.base import errors, ids
from runner.base.jsonvalue import JsonObject
from runner.engine import host
from runner.engine.request import Request
from runner.model import restore_point
from runner.params import locations
from runner.repository import failures, points
from runner.repository import repository as repositories


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What restore points are about: those with the same subject are versions of the same thing."""

    blueprint: str
    object: str | None

    @classmethod
    def of(cls, request: Request) -> Subject:
        """Return the subject of a run."""
        return cls(blueprint=request.plan.blueprint, object=request.object_name)

    def has(self, point: restore_point.RestorePoint) -> bool:
        """Tell whether a restore point is about it."""
        return (point.blueprint, point.object) == (self.blueprint, self.object)

    def __str__(self) -> str:
        return f'"{self.blueprint}"' + (f" of {self.object}" if self.object else "")


def select(
    repository: repositories.Repository, text: str, subject: Subject, artifacts: Iterable[str]
) -> restore_point.RestorePoint:
    """Return the restore point that `--from` means: `latest`, the start of its id, or the run that made it.

    Raises:
        PermanentError: RT418 if there is none, or it lacks an artifact that the action takes in.
        UsageError: RT420 if several ids start with the text.
    """
    wanted = set(artifacts)
    if text == points.LATEST:
        return _latest(repository, subject, wanted)
    made_by = [point for point in _intact(repository) if point.run == text]
    found = made_by[0] if made_by else repository.point(text)
    lacking = sorted(wanted - set(found.artifacts))
    if lacking:
        raise errors.PermanentError(
            f"the restore point {short(found.id)} has no artifact {lacking[0]}, which the action takes in",
            code="RT418",
            hint=f"it is of the action {found.action} of {found.blueprint}; choose another with --from",
        )
    return found


def _latest(repository: repositories.Repository, subject: Subject, wanted: set[str]) -> restore_point.RestorePoint:
    for point in repository.points():
        if subject.has(point) and wanted <= set(point.artifacts):
            return point
    raise errors.PermanentError(
        f"there is no restore point of {subject}",
        code="RT418",
        details=f"looked in {repository.location.url}",
        hint="run a backup first, or name another location with --location",
    )


def base_export(
    repository: repositories.Repository, subject: Subject, *, phase: str, key: str, source: str
) -> ids.ExportId | None:
    """Return the export that the latest restore point of the subject has of a source, if any."""
    for point in _intact(repository):
        if subject.has(point):
            same = [e for e in point.exports if (e.phase, e.key, e.source) == (phase, key, source)]
            return ids.ExportId(same[0].export) if same else None
    return None


def _intact(repository: repositories.Repository) -> list[restore_point.RestorePoint]:
    """Return the restore points that can be read; a damaged one must not keep the others from being used."""
    return repository.points(on_damaged=lambda _: None)


def id_of(token: str) -> ids.RestorePointId:
    """Return the id of the restore point that a run stores; equal over all attempts."""
    return ids.RestorePointId(ids.token("restore point", token)[:16])


def exists(repository: repositories.Repository, point: ids.RestorePointId) -> bool:
    """Tell whether a restore point is stored."""
    try:
        repository.point(point)
    except failures.RestorePointMissing:
        return False
    return True


def store(repository: repositories.Repository, draft: host.PointDraft) -> restore_point.RestorePoint:
    """Store a restore point durably; storing the same one again changes nothing.

    Raises:
        ExportMissing: If an export is gone; nothing is stored then.
    """
    try:
        return repository.put_point(_point(repository, draft))
    except failures.ExportMissing as problem:
        raise failures.ExportMissing(
            "what this run exported is gone from the repository: it was pruned or deleted before the run had ended",
            details=problem.message,
            hint="run the backup again; what a run has exported is kept for 30 days while it waits",
            context=problem.context,
        ) from problem


def _point(repository: repositories.Repository, draft: host.PointDraft) -> restore_point.RestorePoint:
    request = draft.request
    return restore_point.RestorePoint(
        id=id_of(draft.token),
        created=draft.created,
        blueprint=request.plan.blueprint,
        blueprint_text=request.blueprint_text,
        action=request.plan.action,
        object=request.object_name,
        run=draft.run,
        inputs=request.plain_inputs,
        artifacts=draft.artifacts,
        exports=tuple(_export(repository, export) for export in draft.exports),
    )


def _export(repository: repositories.Repository, draft: host.ExportDraft) -> restore_point.PointExport:
    outputs: Any = draft.outputs
    manifest = repository.manifest(ids.ExportId(outputs["export"]))
    return restore_point.PointExport(
        phase=draft.phase,
        key=draft.key,
        source=manifest.source,
        export=outputs["export"],
        kind=manifest.kind,
        bytes_read=outputs["bytesRead"],
        bytes_new=outputs["bytesNew"],
        bytes_stored=outputs["bytesStored"],
    )


def summary(point: restore_point.RestorePoint, target: locations.Target) -> JsonObject:
    """Return what a run's result says of its restore point."""
    return {
        "id": point.id,
        "location": target.label,
        "bytesRead": sum(export.bytes_read for export in point.exports),
        "bytesNew": sum(export.bytes_new for export in point.exports),
        "bytesStored": sum(export.bytes_stored for export in point.exports),
    }


def short(point: ids.RestorePointId) -> str:
    """Return the start of an id, long enough to be unique in practice."""
    return point[:8]
