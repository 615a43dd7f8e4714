"""Reading an NBD export with several requests at once, and what its metadata says, as extents."""

from __future__ import annotations

import contextlib
import queue
import socket
from collections.abc import Iterator, Sequence

from runner.nbd import client, wire
from runner.registry import driver, extents

# How many requests one reader has under way; more than there are processors bring nothing.
CONNECTIONS = 4
ALLOCATION = "base:allocation"


class Pool:
    """Connections to one export, each used by one thread at a time.

    Args:
        sockets: Connected sockets.
        export: Name of the export.
        contexts: What will be asked about its blocks.
    """

    def __init__(self, sockets: Sequence[socket.socket], export: str, contexts: Sequence[str] = ()) -> None:
        self._all = [client.Connection(one, export, contexts) for one in sockets]
        self._free: queue.LifoQueue[client.Connection] = queue.LifoQueue()
        for one in self._all:
            self._free.put(one)

    @property
    def size_bytes(self) -> int:
        """Size of the export."""
        return self._all[0].size_bytes

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[client.Connection]:
        """Lend a connection, as soon as one is free."""
        connection = self._free.get()
        try:
            yield connection
        except BaseException:
            connection.close()  # nobody knows where in its conversation it is
            raise
        finally:
            self._free.put(connection)

    def flagged(self, context: str, *, having: int = 0, lacking: int = 0) -> Iterator[driver.Extent]:
        """Yield the stretches whose flags include all of `having` and none of `lacking`."""
        return extents.merged(
            driver.Extent(offset=offset, length=length)
            for offset, length, flags in self._status(context)
            if flags & having == having and not flags & lacking
        )

    def close(self) -> None:
        """Close all connections."""
        for connection in self._all:
            connection.close()

    def _status(self, context: str) -> Iterator[tuple[int, int, int]]:
        offset = 0
        while offset < self.size_bytes:
            with self.borrowed() as connection:
                found = connection.status_at(context, offset)
            for length, flags in found:
                yield offset, length, flags
                offset += length


class Reader:
    """Reads the blocks of a snapshot.

    Args:
        pool: Connections to its export, which can tell what is allocated.
        size_bytes: Size of the volume when the snapshot was taken.
        live: Whether a guest writes to the volume meanwhile.
    """

    def __init__(self, pool: Pool, size_bytes: int, *, live: bool) -> None:
        if pool.size_bytes < size_bytes:
            raise driver.StorageError(
                "the volume has shrunk since the snapshot was taken, so its end cannot be read any more",
                hint="take a new snapshot",
            )
        self._pool = pool
        self._size = size_bytes
        self._live = live

    @property
    def size_bytes(self) -> int:
        """Size of the volume."""
        return self._size

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""
        with self._pool.borrowed() as connection:
            connection.read_into(offset, target)

    def allocated(self) -> Iterator[driver.Extent]:
        """Yield what does not read as zeros.

        In a volume in use this is asked twice. The guest may discard blocks while the answer is put together from its
        copy and its original; the copy, which is made before, then tells it right the second time.
        """
        found = self._data()
        return extents.clipped(extents.union(found, self._data()) if self._live else found, 0, self._size)

    def _data(self) -> Iterator[driver.Extent]:
        return self._pool.flagged(ALLOCATION, lacking=wire.Allocation.ZERO)
