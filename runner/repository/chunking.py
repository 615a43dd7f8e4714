"""Content-defined chunks: cut points that depend on the content alone, so that an insertion moves only its own chunk.

The cut points are those of FastCDC with the gear table mixed with a secret seed. Without the seed, chunk lengths alone
could tell whether a repository holds a known file.
"""

from __future__ import annotations

from typing import Protocol

import pyfastcdc

from runner.registry.location import Buffer

# Whatever is at most this long is one chunk.
SINGLE = 64 * 1024
# How much callers gather before they feed it: large enough to stay in C code, small enough to stay in the cache.
BLOCK = 2 * 1024 * 1024

# What the seed is derived for.
PURPOSE = "content-defined chunks"

# The library doubles the seed in 64 bits.
_SEED = (1 << 63) - 1

_LEAST = 32 * 1024
_AVERAGE = 128 * 1024
_MOST = 512 * 1024


class _Chunk(Protocol):
    data: memoryview


class Chunker:
    """Cuts one stream of bytes that is fed piece by piece; after `end` it is ready for the next stream.

    Args:
        seed: A number that only the repository knows; its lower 63 bits count.
    """

    def __init__(self, seed: int) -> None:
        self._cutter = pyfastcdc.FastCDC(_AVERAGE, min_size=_LEAST, max_size=_MOST, seed=seed & _SEED)
        self._rest: Buffer = b""

    def feed(self, data: Buffer) -> list[memoryview]:
        """Return the chunks that are certain now; `data` is copied and may be reused."""
        chunks: list[_Chunk] = list(self._cutter.cut_buf(memoryview(b"".join((self._rest, data)))))
        # Where the data ends is no cut point: the last piece may still grow.
        self._rest = chunks.pop().data if chunks else b""
        return [chunk.data for chunk in chunks]

    def end(self) -> list[memoryview]:
        """Return the last chunk, or none when the stream was empty."""
        rest, self._rest = memoryview(self._rest), b""
        return [rest] if len(rest) else []
