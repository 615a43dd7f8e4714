"""Which of the places that the index names something new may rely on."""

from __future__ import annotations

from runner.repository import condemned, crypto, failures, records


class Trust:
    """What is not to be relied on, as of the last look.

    Attributes:
        suspect: Segments that may be of somebody whose lock had been taken away before.
        condemned: What prunings have condemned, or why that cannot be read.
    """

    def __init__(self) -> None:
        self.suspect: frozenset[str] = frozenset()
        self.condemned: condemned.Condemned | failures.RepositoryDamaged = condemned.Condemned()
        self._distrusted: set[bytes] = set()

    def distrust(self, pack: bytes) -> None:
        """Let nothing new rely on a pack from now on: something in it is damaged, or all of it is gone."""
        self._distrusted.add(pack)

    def is_given(self, segment: str, record: records.Record) -> bool:
        """Tell whether something new may rely on a record of a segment.

        Raises:
            RepositoryDamaged: If what a pruning has condemned cannot be read.
        """
        doomed = self.condemned
        if isinstance(doomed, failures.RepositoryDamaged):
            raise doomed
        if segment in self.suspect or record.pack in self._distrusted:
            return False
        if record.kind == crypto.Kind.MANIFEST:
            # Its pack may be condemned because it was packed anew; the export is as good as before.
            return (record.pack, record.ordinal) not in doomed.manifests
        return record.pack not in doomed.packs
