"""What the next snapshot of an image would be compared with; nothing is changed, and no data is read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from runner.base import quantities
from runner.registry import driver, estimates, extents
from runner.storage.file import comparing, fiemap, layout


def foresee(path: Path, shelf: Path) -> estimates.Way | None:
    """Tell it for the image at a path; None if there is none.

    Args:
        path: The image.
        shelf: Where its snapshots are.
    """
    if not path.is_file():
        return None
    earlier = max(_snapshots(shelf), key=lambda one: (one.created, one.id), default=None)
    if earlier is None:
        return estimates.Way(method="full", reason="there is no earlier snapshot of the volume")
    size = path.stat().st_size
    if earlier.size_bytes > size:
        return estimates.Way(method="rescan", reason="the volume has shrunk since its last snapshot")
    reason = f"compared with the snapshot of {earlier.created:%Y-%m-%d %H:%M} UTC, if the last restore point has it"
    with _open(path) as new, _open(Path(earlier.path)) as old:
        shared = list(fiemap.shared(old, new))
        if not shared:
            unknown = "what that saves is known when both have been compared, as they share nothing on the disk"
            return estimates.Way(method="changed", reason=f"{reason}; {unknown}")
        data = extents.union(comparing.data_of(old, earlier.size_bytes), comparing.data_of(new, size))
        left = sum(extent.length for extent in extents.without(data, shared))
    on_disk = quantities.bytes_for_people(sum(extent.length for extent in shared))
    return estimates.Way(method="changed", reason=f"{reason}; both share {on_disk} on the disk", skips=size - left)


def _snapshots(shelf: Path) -> Iterator[driver.Snapshot]:
    for place in shelf.iterdir() if shelf.is_dir() else ():
        with contextlib.suppress(driver.StorageError):  # of no use to the export either
            found = layout.describe(layout.place_of(layout.id_of(place)))
            if Path(found.path).is_file():
                yield found


@contextlib.contextmanager
def _open(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
