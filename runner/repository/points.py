"""The stored form of restore points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.base import errors, ids
from runner.model.restore_point import PointExport, RestorePoint
from runner.registry import location as locations
from runner.repository import encoding, failures
from runner.repository.encoding import CborValue

PREFIX = "points/"
# Never the start of an id: it has letters that no id has.
LATEST = "latest"


def name_of(point: str) -> str:
    """Return the object of a restore point."""
    return PREFIX + point


def encode(point: RestorePoint) -> bytes:
    """Write a restore point."""
    return encoding.encode(
        {
            "id": point.id,
            "created": encoding.from_datetime(point.created),
            "blueprint": point.blueprint,
            "blueprintText": point.blueprint_text,
            "action": point.action,
            "object": point.object or "",
            "run": point.run,
            "inputs": point.inputs,
            "artifacts": point.artifacts,
            "parameters": point.parameters,
            "exports": [_export(export) for export in point.exports],
        }
    )


def _export(export: PointExport) -> Mapping[str, CborValue]:
    return {
        "phase": export.phase,
        "key": export.key,
        "source": export.source,
        "export": export.export,
        "kind": export.kind,
        "bytesRead": export.bytes_read,
        "bytesNew": export.bytes_new,
        "bytesStored": export.bytes_stored,
    }


def decode(name: str, data: bytes) -> RestorePoint:
    """Read a restore point.

    Args:
        name: The object that it comes from.
        data: What `encode` wrote.

    Raises:
        RepositoryDamaged: If it is not one.
    """
    fields = encoding.Fields(data, name)
    if name_of(fields.text("id")) != name:
        raise failures.damaged(name, "it holds another restore point")
    return RestorePoint(
        id=ids.RestorePointId(fields.text("id")),
        created=fields.moment("created"),
        blueprint=fields.text("blueprint"),
        blueprint_text=fields.text("blueprintText"),
        action=fields.text("action"),
        object=fields.text("object") or None,
        run=ids.RunId(fields.text("run")),
        inputs=fields.json("inputs"),
        artifacts=fields.json("artifacts"),
        parameters=fields.json("parameters"),
        exports=tuple(_read_export(part) for part in fields.parts("exports")),
    )


def _read_export(fields: encoding.Fields) -> PointExport:
    return PointExport(
        phase=fields.text("phase"),
        key=fields.text("key"),
        source=fields.text("source"),
        export=ids.ExportId(fields.text("export")),
        kind=fields.text("kind"),
        bytes_read=fields.integer("bytesRead"),
        bytes_new=fields.integer("bytesNew"),
        bytes_stored=fields.integer("bytesStored"),
    )


def newest(listed: Sequence[RestorePoint], location: locations.Location) -> RestorePoint:
    """Return the first of restore points that are listed with the newest first.

    Raises:
        RestorePointMissing: If there are none.
    """
    for point in listed:
        return point
    raise failures.RestorePointMissing(
        f"there is no restore point in the repository at {location.url}",
        hint="run a backup first, or name another location with --location",
    )


def find(location: locations.Location, prefix: str) -> ids.RestorePointId:
    """Return the whole id of a restore point, which is not read.

    Raises:
        RestorePointMissing: If there is none.
        UsageError: RT420 if there are several.
    """
    names = (
        [info.name for info in location.list(name_of(prefix))]
        if prefix and ids.parse_base32(prefix) is not None
        else []
    )
    if name_of(prefix) in names:
        names = [name_of(prefix)]
    if not names:
        raise failures.RestorePointMissing(
            f'there is no restore point "{prefix}" in the repository at {location.url}',
            hint="list them with `runner restore-points list`",
        )
    if len(names) > 1:
        shown = ", ".join(name.removeprefix(PREFIX) for name in names[:5])
        raise errors.UsageError(
            f'"{prefix}" is the beginning of {len(names)} restore points',
            code="RT420",
            hint=f"choose one of: {shown}",
        )
    return ids.RestorePointId(names[0].removeprefix(PREFIX))
