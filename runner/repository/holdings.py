"""Which bytes of a repository belong to whom: what one owner alone holds, and what several share."""

from __future__ import annotations

import array

import msgspec

from runner.repository import crypto, exports, marks, records, repository
from runner.repository import index as indexes

_NOBODY = 0
_SEVERAL = 0xFFFFFFFF


class Holding(msgspec.Struct, kw_only=True):
    """What one owner (a restore point) holds, in bytes.

    Attributes:
        number: Tells it from others, from 1 on.
        bytes_data: Content of its exports without holes, before compression; what it holds twice counts twice.
        bytes_unique: Content that nobody else holds, before compression.
        bytes_freed: Stored bytes that nobody else holds, metadata included: what pruning gives back without it.
    """

    number: int
    bytes_data: int = 0
    bytes_unique: int = 0
    bytes_freed: int = 0

    @property
    def bytes_shared(self) -> int:
        """Content that others hold as well, or that it holds more than once."""
        return self.bytes_data - self.bytes_unique


class Held(msgspec.Struct, kw_only=True):
    """What all owners hold together, each chunk counted once.

    Attributes:
        bytes_plain: Content, before compression.
        bytes_content: The same content as it is stored.
        bytes_stored: Everything that is stored for it, metadata included.
    """

    bytes_plain: int = 0
    bytes_content: int = 0
    bytes_stored: int = 0


class Holdings:
    """Tells owners apart by a number for each record of the index.

    A subtree of metadata is read once when its first owner comes, and once more when the second one does; from then on
    it is passed over.
    """

    def __init__(self, repo: repository.Repository) -> None:
        self._index = repo.index
        self._chunks = repo.reader()
        self._owners: dict[str, array.array[int]] = {}
        self._below: dict[tuple[str, int], int] = {}
        self._holdings: list[Holding] = []
        self.all = Held()

    def add(self) -> Holding:
        """Begin with one more owner; its holding is final when all owners have got what they hold."""
        self._holdings.append(Holding(number=len(self._holdings) + 1))
        return self._holdings[-1]

    def give(self, holding: Holding, manifest: exports.Manifest) -> None:
        """Let an owner hold an export.

        Raises:
            RepositoryDamaged: If metadata is missing or not what was written.
        """
        holding.bytes_data += sum(self._visit(root, holding.number) for root in manifest.roots)

    def _visit(self, chunk: bytes, owner: int) -> int:
        """Let an owner have a chunk and all that it reaches; return the content below."""
        place = self._place(chunk)
        record = place.record
        owners = self._of(place)
        before = owners[place.number]
        if record.kind == crypto.Kind.DATA:
            below = record.plain
        elif before in (owner, _SEVERAL):
            return self._below[place.segment, place.number]
        else:
            found = marks.references(record.kind, self._chunks.open_record(record))
            below = self._below[place.segment, place.number] = sum(self._visit(each, owner) for each in found)
        if before == _NOBODY:
            owners[place.number] = owner
            self._count(owner, record, 1)
            self._count_all(record)
        elif before not in (owner, _SEVERAL):
            owners[place.number] = _SEVERAL
            self._count(before, record, -1)
        return below

    def _place(self, chunk: bytes) -> indexes.Place:
        place = self._index.place(chunk)
        while place is None:
            self._index.locate(chunk)  # looks for new segments, and raises if there is still none
            place = self._index.place(chunk)
        return place

    def _of(self, place: indexes.Place) -> array.array[int]:
        owners = self._owners.setdefault(place.segment, array.array("I"))
        if place.number >= len(owners):
            owners.extend(bytes(place.number + 1 - len(owners)))
        return owners

    def _count(self, owner: int, record: records.Record, sign: int) -> None:
        holding = self._holdings[owner - 1]
        holding.bytes_freed += sign * record.stored
        holding.bytes_unique += sign * record.plain if record.kind == crypto.Kind.DATA else 0

    def _count_all(self, record: records.Record) -> None:
        self.all.bytes_stored += record.stored
        if record.kind == crypto.Kind.DATA:
            self.all.bytes_plain += record.plain
            self.all.bytes_content += record.stored
