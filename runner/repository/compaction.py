"""Write the index anew: fewer segments, without the records of what is removed."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from runner.repository import condemned, crypto, locks, records, repository, segments, survey

SEGMENT_RECORDS = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What the new index does not name any more.

    Attributes:
        packs: Packs that are to be removed.
        manifests: Places of manifests that are to be forgotten.
    """

    packs: Container[bytes]
    manifests: Container[condemned.Place]


def compact(repo: repository.Repository, lock: locks.Lock, found: survey.Survey, losses: Losses) -> None:
    """Replace the segments of a survey by new ones, if anything is won by it.

    Whoever has the old ones open finds the new ones when it looks again, because these are stored, and can be listed,
    before the old ones go.
    """
    if not _is_due(found, losses):
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
    while batch := list(itertools.islice(rows, SEGMENT_RECORDS)):
        lock.confirm_if_due()
        by_pack: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for record in batch:
            by_pack[record.pack].append(record.entry())
        segments.write(repo.location, repo.keys, by_pack, repo.random, lock=lock.name)
    locks.pause(repo.location, repo.clock)
    lock.confirm()
    for segment in found.segments:
        if segment.name not in stays:
            lock.confirm_if_due()
            repo.location.delete(segments.PREFIX + segment.name)
    repo.index.refresh()


def _is_due(found: survey.Survey, losses: Losses) -> bool:
    fewest = -(-sum(segment.count for segment in found.segments) // SEGMENT_RECORDS)
    gone = any(pack in losses.packs or pack not in found.packs for segment in found.segments for pack in segment.packs)
    forgotten = any(place in losses.manifests for place in found.dead)
    return bool(found.suspect) or gone or forgotten or len(found.segments) > fewest


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


def _place(record: records.Record) -> condemned.Place:
    return record.pack, record.ordinal
