"""Write the index anew: fewer segments, without the records of what is removed."""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections import defaultdict
from collections.abc import Collection, Container, Iterator, Sequence

import msgspec

from runner.registry import location as locations
from runner.repository import crypto, deletions, locks, records, repository, segments, survey

SEGMENT_RECORDS = 262_144
# Where the old segments stay for as long as they are locked, writing all anew for a few small ones wins nothing.
_MOST_LOCKED = 16


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """What the new index does not name any more.

    Attributes:
        packs: Packs that are to be removed.
        manifests: Places of manifests that are to be forgotten.
    """

    packs: Container[bytes]
    manifests: Container[deletions.Place]


def compact(repo: repository.Repository, lock: locks.Lock, found: survey.Survey, losses: Losses) -> None:
    """Replace the segments of a survey by new ones, if anything is won by it.

    Whoever has the old ones open finds the new ones when it looks again, because these are stored, and can be listed,
    before `remove_replaced` removes the old ones.
    """
    fewest = -(-sum(segment.count for segment in found.segments) // SEGMENT_RECORDS)
    most = fewest + (_MOST_LOCKED if isinstance(repo.location, locations.Retaining) else 0)
    if len(found.segments) <= most and not _is_due(found, losses):
        return
    # Nobody may rely on a manifest in a suspect segment. It must not come into one that is trusted, nor vanish while
    # somebody who found it earlier may still make a restore point of it.
    stays = {name for name, dead in found.suspect.items() if any(place not in losses.manifests for place in dead)}
    distrusted = frozenset().union(*found.suspect.values())
    rows = (
        record
        for record in _merged(found.segments)
        if _survives(record, found, losses) and not (_is_manifest(record) and _place(record) in distrusted)
    )
    old = [segment for segment in found.segments if segment.name not in stays]
    # What these replaced may still be there, and must not count again when they go.
    left = {segment.name for segment in repo.index.replaced}
    names = {name for segment in old for name in (segment.name, *(segment.replaces & left))}
    first = next(rows, None)
    if first is None and not isinstance(repo.location, locations.Retaining):
        for name in names:
            repo.location.delete(segments.PREFIX + name)
    else:
        write(repo, lock, itertools.chain([] if first is None else [first], rows), names)
    locks.pause(repo.location, repo.clock)
    lock.confirm()
    repo.index.refresh()


def remove_replaced(repo: repository.Repository, lock: locks.Lock) -> None:
    """Remove the segments that count no more; those that the location locks go later."""
    for segment in repo.index.replaced:
        lock.confirm_if_due()
        with contextlib.suppress(locations.ObjectLocked):
            repo.location.delete(segments.PREFIX + segment.name)


def write(
    repo: repository.Repository, lock: locks.Lock, rows: Iterator[records.Record], replaces: Collection[str]
) -> None:
    """Store segments of some records; the last one says which others they replace."""
    batch = list(itertools.islice(rows, SEGMENT_RECORDS))
    count = 0
    while batch or not count:
        following = list(itertools.islice(rows, SEGMENT_RECORDS))
        by_pack: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for record in batch:
            by_pack[record.pack].append(record.entry())
        if count and not following:
            # Whoever sees the last one sees the others.
            locks.pause(repo.location, repo.clock)
        lock.confirm_if_due()
        replaced = () if following else replaces
        segments.write(repo.location, repo.keys, by_pack, repo.random, lock=lock.name, replaces=replaced)
        count += 1
        batch = following


def _is_due(found: survey.Survey, losses: Losses) -> bool:
    gone = any(pack in losses.packs or pack not in found.packs for segment in found.segments for pack in segment.packs)
    forgotten = any(place in losses.manifests for place in found.dead)
    return bool(found.suspect) or gone or forgotten


def _merged(parts: Sequence[segments.Segment]) -> Iterator[records.Record]:
    """Yield the records of all segments in order, equal ones once."""
    last = None
    for record in heapq.merge(*parts, key=lambda record: (*record[1:], record.pack)):
        if record != last:
            yield record
        last = record


def _survives(record: records.Record, found: survey.Survey, losses: Losses) -> bool:
    if record.pack in losses.packs or record.pack not in found.packs:
        return False
    return not (_is_manifest(record) and _place(record) in losses.manifests)


def _is_manifest(record: records.Record) -> bool:
    return record.kind == crypto.Kind.MANIFEST


def _place(record: records.Record) -> deletions.Place:
    return record.pack, record.ordinal
