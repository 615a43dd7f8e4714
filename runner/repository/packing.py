"""Bring pieces into packs and packs into the location: the shared end of all worker threads of one writer."""

from __future__ import annotations

import mmap
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent import futures

import msgspec

from runner.base import ids
from runner.registry import location as locations
from runner.repository import crypto, packs, records

# Two that are being stored, and one that is being filled.
_BUFFERS = 3
_UPLOADS = 2
# Metadata lies side by side, so that whoever walks it reads much with one request.
_METADATA_BYTES = 4 * 1024 * 1024
_METADATA_CHUNKS = 8192


class _Open(msgspec.Struct):
    builder: packs.PackBuilder
    unsealed: int = 0
    closed: bool = False


class Packer:
    """Fills packs from several threads and stores the full ones.

    Args:
        location: Where to store.
        keys: Keys of the repository.
        random: Source of salts.
        on_stored: Called with salt and entries of each pack once it is durable, from a thread of the packer.
    """

    def __init__(
        self,
        location: locations.Location,
        keys: crypto.Keys,
        random: ids.RandomBytes,
        on_stored: Callable[[bytes, Sequence[bytes]], None],
    ) -> None:
        self._location = location
        self._keys = keys
        self._random = random
        self._on_stored = on_stored
        self._reserving = threading.Lock()
        self._counting = threading.Lock()
        self._buffers: queue.Queue[mmap.mmap | None] = queue.Queue()
        for _ in range(_BUFFERS):
            self._buffers.put(None)
        self._uploads = futures.ThreadPoolExecutor(_UPLOADS, thread_name_prefix="upload")
        self._pending: list[futures.Future[None]] = []
        self._open: _Open | None = None
        self._metadata: list[packs.Piece] = []
        self._metadata_bytes = 0
        self._packed_bytes = 0

    @property
    def bytes_stored(self) -> int:
        """What has been added so far takes in packs, also what is held back."""
        return self._packed_bytes + self._metadata_bytes

    def add(self, pieces: Sequence[packs.Piece]) -> None:
        """Seal pieces into a pack; together they must fit into one."""
        with self._reserving:
            if self._open is not None and not self._open.builder.has_room(pieces):
                self._close(self._open)
                self._open = None
            if self._open is None:
                self._open = _Open(self._new_builder())
            target = self._open
            with self._counting:
                target.unsealed += 1
            first, start = target.builder.reserve(pieces)
            self._packed_bytes += target.builder.used - start
        target.builder.seal(pieces, first, start)
        with self._counting:
            target.unsealed -= 1
            ready = target.closed and target.unsealed == 0
        if ready:
            self._upload(target.builder)

    def add_metadata(self, pieces: Sequence[packs.Piece]) -> None:
        """Hold pieces back until a pack of their own is worth it; the last ones join the last pack of all."""
        size = sum(len(piece.data) + crypto.TAG_SIZE for piece in pieces)
        with self._reserving:
            self._metadata += pieces
            self._metadata_bytes += size
            if self._metadata_bytes < _METADATA_BYTES and len(self._metadata) < _METADATA_CHUNKS:
                return
            self._packed_bytes += self._metadata_bytes
            held = self._take_metadata()
        builder = self._new_builder()
        builder.seal(held, *builder.reserve(held))
        self._upload(builder)

    def _take_metadata(self) -> list[packs.Piece]:
        held, self._metadata, self._metadata_bytes = self._metadata, [], 0
        return held

    def flush(self) -> None:
        """Store everything that was added and wait until it is durable; nothing may be added meanwhile."""
        with self._reserving:
            held = self._take_metadata()
        if held:
            self.add(held)
        with self._reserving:
            if self._open is not None:
                self._close(self._open)
                self._open = None
        self._raise_failures(wait=True)

    def shutdown(self) -> None:
        """Give up what is not being stored yet, and wait for what is."""
        self._uploads.shutdown(wait=True, cancel_futures=True)

    def _new_builder(self) -> packs.PackBuilder:
        self._raise_failures(wait=False)
        # Anonymous memory is not touched before it is used, so that a small export costs little.
        buffer = self._buffers.get() or mmap.mmap(-1, packs.CAPACITY)
        self._raise_failures(wait=False)
        return packs.PackBuilder(self._keys, self._random(crypto.SALT_SIZE), buffer)

    def _close(self, target: _Open) -> None:
        with self._counting:
            target.closed = True
            ready = target.unsealed == 0
        if ready:
            self._upload(target.builder)

    def _upload(self, builder: packs.PackBuilder) -> None:
        future = self._uploads.submit(self._store, builder)
        with self._counting:
            self._pending.append(future)

    def _store(self, builder: packs.PackBuilder) -> None:
        try:
            self._location.put(records.pack_name(builder.salt), builder.finish())
        finally:
            self._buffers.put(builder.buffer)
        self._on_stored(builder.salt, builder.entries)

    def _raise_failures(self, *, wait: bool) -> None:
        with self._counting:
            pending = list(self._pending)
        for future in pending:
            if wait or future.done():
                future.result()
                with self._counting:
                    self._pending.remove(future)
