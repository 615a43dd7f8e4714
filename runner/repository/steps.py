"""The single steps of the data path by themselves, to be measured."""

from __future__ import annotations

from collections.abc import Callable

from runner.base import ids
from runner.repository import compression, crypto

Step = Callable[[bytes], int]


def hasher() -> Step:
    """Return what names a chunk, and returns the length of the name."""
    keys = crypto.Keys(bytes(crypto.KEY_SIZE), bytes(crypto.REPOSITORY_ID_SIZE))
    return lambda chunk: len(keys.chunk_id(crypto.Kind.DATA, chunk))


def compressor() -> Step:
    """Return what compresses a chunk as the writer does, and returns the length of the result."""
    compress = compression.Compressor().compress
    return lambda chunk: len(compress(chunk))


def sealer(longest: int) -> Step:
    """Return what encrypts chunks of up to that length with a key of its own, and returns the length of the chunk."""
    keys = crypto.Keys(ids.random_bytes(crypto.KEY_SIZE), bytes(crypto.REPOSITORY_ID_SIZE))
    box = crypto.Box(keys, "benchmark", "pack", ids.random_bytes(crypto.SALT_SIZE))
    target = memoryview(bytearray(longest + crypto.TAG_SIZE))
    count = 0

    def seal(chunk: bytes) -> int:
        nonlocal count
        box.seal_into(count, chunk, b"", target[: len(chunk) + crypto.TAG_SIZE])
        count += 1
        return len(chunk)

    return seal
