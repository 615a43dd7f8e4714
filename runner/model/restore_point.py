"""A restore point: what one run captured and what is needed to bring it back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from runner.base import ids
from runner.base.jsonvalue import JsonObject, JsonValue


class PointExport(msgspec.Struct, frozen=True, kw_only=True):
    """An export that belongs to a restore point.

    Attributes:
        phase: The phase that made it.
        key: Its key within a `foreach`, else an empty text.
        source: What was exported.
        kind: `volume`, `tree` or `stream`.
    """

    phase: str
    key: str
    source: str
    export: ids.ExportId
    kind: str
    bytes_read: int
    bytes_new: int
    bytes_stored: int

    @property
    def name(self) -> str:
        """What it is called within its restore point: `PHASE`, or `PHASE/KEY` within a `foreach`."""
        return f"{self.phase}/{self.key}" if self.key else self.phase


class RestorePoint(msgspec.Struct, frozen=True, kw_only=True):
    """An entry from which an application can be restored without anything else.

    Attributes:
        id: 8 base32 characters or more.
        created: Never earlier than that of the restore points that were there before.
        blueprint: `metadata.name` of the blueprint.
        blueprint_text: Its text, so that a restore needs no file.
        action: The action that made it.
        object: `KIND/NAMESPACE/NAME`, when the run had one.
        run: The run that made it.
        inputs: The inputs of the run, without secrets.
        artifacts: The rendered output artifacts.
        exports: What was exported, in the order of phases.
        parameters: Whatever else a restore needs.
    """

    id: ids.RestorePointId
    created: datetime
    blueprint: str
    blueprint_text: str
    action: str
    object: str | None
    run: ids.RunId
    inputs: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    artifacts: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    exports: tuple[PointExport, ...] = ()
    parameters: JsonObject = msgspec.field(default_factory=dict)
