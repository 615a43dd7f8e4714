"""What functions that export volumes have in common: the export that they build on, and what they tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydantic

from runner.base import ids
from runner.registry import args, context

if TYPE_CHECKING:
    from runner.repository import exports, repository


class VolumeOutputs(args.ExportOutputs):
    """Outputs of an export of a volume."""

    volume: str = pydantic.Field(description="The volume.")
    size_bytes: int = pydantic.Field(description="Size of the volume in bytes.")
    method: str = pydantic.Field(
        description="What was read: `full` (no earlier export, or a damaged one), `changed` (what the storage says "
        "has changed), `rescan` (everything, though only what is new was stored)."
    )
    reason: str = pydantic.Field(description="Why it was read that way.")
    blocks: str = pydantic.Field(
        description="Which blocks were read: `changed`, `allocated` (all but the holes) or `all`."
    )
    bytes_skipped: int = pydantic.Field(
        description="Bytes of the volume that did not have to be read: holes, and what is as it was."
    )


def described(manifest: exports.Manifest, size_bytes: int) -> dict[str, Any]:
    """Return the values of `VolumeOutputs` for an export."""
    return {
        "export": manifest.export,
        "bytes_read": manifest.bytes_read,
        "bytes_new": manifest.bytes_new,
        "bytes_stored": manifest.bytes_stored,
        "volume": manifest.source,
        "size_bytes": size_bytes,
        "method": str(manifest.facts["method"]),
        "reason": str(manifest.facts["reason"]),
        "blocks": str(manifest.facts["blocks"]),
        "bytes_skipped": size_bytes - manifest.bytes_read,
    }


def base_of(
    ctx: context.PhaseContext, repo: repository.Repository, volume: str, given: str | None
) -> tuple[ids.ExportId | None, exports.Manifest | None]:
    """Return the earlier export of a volume, and its manifest if it is still there and can be read.

    Args:
        ctx: Tells that of the latest restore point.
        repo: Where exports are.
        volume: The volume.
        given: The one that the blueprint names, if it does.

    Raises:
        ExportMissing: If the one that the blueprint names does not exist.
    """
    from runner.repository import failures

    base = ids.ExportId(given) if given else ctx.base_export(volume)
    if base is None:
        return None, None
    try:
        return base, repo.manifest(base)
    except failures.RepositoryDamaged:
        return base, None
    except failures.ExportMissing:
        if given:
            raise
        return base, None
