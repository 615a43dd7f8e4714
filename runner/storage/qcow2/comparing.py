"""With which snapshot another can be compared, and what the next one would find; no data is read for it."""

from __future__ import annotations

from collections.abc import Iterable

from runner.base import quantities
from runner.registry import estimates
from runner.storage.qcow2 import access, shelf


def is_there(record: shelf.Record, contents: access.Contents) -> bool:
    """Tell whether what is written down is still there, in the image or in the guest."""
    if record.released:
        return record.name in contents.bitmaps
    return record.name in (contents.held if record.live else contents.snapshots)


def obstacle(base: shelf.Record, size_bytes: int, contents: access.Contents) -> str:
    """Say why a snapshot of this size cannot be compared with an earlier one; empty if it can."""
    if base.snapshot.size_bytes > size_bytes:
        return "the volume has shrunk"
    wrong = contents.bitmaps.get(base.name, "is gone")
    return f"the dirty bitmap of {base.snapshot.id} {wrong}" if wrong else ""


def foresee(inside: access.Access, records: Iterable[shelf.Record]) -> estimates.Way:
    """Tell what a snapshot that is taken now would be compared with, and what that would save.

    Args:
        inside: The image.
        records: What is written down about its snapshots, oldest first.
    """
    contents = inside.look()
    there = [record for record in records if is_there(record, contents)]
    if not there:
        return estimates.Way(method="full", reason="there is no earlier snapshot of the volume")
    base = there[-1]
    wrong = obstacle(base, contents.size_bytes, contents)
    if wrong:
        return estimates.Way(method="rescan", reason=wrong)
    recorded = inside.recorded(base.name)
    return estimates.Way(
        method="changed",
        reason=f"the dirty bitmap of the snapshot of {base.snapshot.created:%Y-%m-%d %H:%M} UTC has recorded "
        f"{quantities.bytes_for_people(recorded)}, if the last restore point has that snapshot",
        skips=max(0, contents.size_bytes - recorded),
    )
