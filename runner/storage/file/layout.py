"""Where the snapshots of a volume lie, and what is written beside the data of each.

The snapshots of `/data/disk.img` are directories in `/data/.disk.img.snapshots/`. Each holds `data` (a copy of the
image or of the directory) and `snapshot.json`, and gets its name when both are complete.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from runner.base import clock as clocks
from runner.base import files, ids
from runner.registry import driver

NAME = "file"
DATA = "data"
FACTS = "snapshot.json"
_SUFFIX = ".snapshots"


def volume_path(volume: str) -> Path:
    """Return where a volume really is; snapshots lie beside it, on the same file system."""
    return Path(volume).resolve()


def shelf_of(volume: str) -> Path:
    """Return the directory of a volume's snapshots."""
    path = volume_path(volume)
    return path.with_name(f".{path.name}{_SUFFIX}")


def id_of(place: Path) -> ids.SnapshotId:
    """Return the handle of the snapshot in a directory."""
    return ids.SnapshotId(f"{NAME}:{place}")


def named_by(snapshot: ids.SnapshotId) -> Path | None:
    """Return the directory that a handle means; None if this driver makes no such handles, whatever is there."""
    kind, _, text = snapshot.partition(":")
    place = Path(text)
    shelf = place.parent.name
    ours = kind == NAME and place.is_absolute() and shelf.startswith(".") and shelf.endswith(_SUFFIX)
    return place if ours and ids.is_id(place.name) else None


def place_of(snapshot: ids.SnapshotId) -> Path:
    """Return the directory of a snapshot.

    Raises:
        SnapshotMissing: If there is none.
    """
    place = named_by(snapshot)
    if place is None or not (place / FACTS).is_file():
        raise driver.SnapshotMissing(
            f"there is no snapshot {snapshot}", hint="take a new one, or check where the handle comes from"
        )
    return place


def describe(place: Path) -> driver.Snapshot:
    """Read what was written beside the data.

    Raises:
        SnapshotMissing: If it was deleted meanwhile.
        StorageError: If it is damaged.
    """
    try:
        facts = json.loads((place / FACTS).read_bytes())
        return driver.Snapshot(
            id=id_of(place),
            volume=facts["volume"],
            size_bytes=facts["sizeBytes"],
            created=clocks.parse_isoformat(facts["created"]),
            state=driver.SnapshotState.READY,
            tags=facts["tags"],
            method=facts["method"],
            path=os.fspath(place / DATA),
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise driver.SnapshotMissing(f"there is no snapshot {id_of(place)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise driver.StorageError(
            f"{place / FACTS} is damaged", details=str(error), hint=f"remove {place} if nobody needs it"
        ) from error


def write_facts(
    place: Path, *, volume: str, size_bytes: int, created: datetime, tags: Mapping[str, str], method: str
) -> None:
    """Write durably what `describe` reads."""
    facts = {
        "volume": volume,
        "sizeBytes": size_bytes,
        "created": clocks.isoformat(created),
        "tags": dict(tags),
        "method": method,
    }
    files.write_atomically(place / FACTS, json.dumps(facts, indent=1).encode())
