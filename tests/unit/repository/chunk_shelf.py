"""Chunks in memory, for tests of what is made of chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import blake3

from runner.registry.location import Buffer
from runner.repository import crypto


class Shelf:
    """Chunks in memory under made-up ids."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def add(self, buffers: Sequence[Buffer], kind: crypto.Kind) -> Shelved:
        found = [blake3.blake3(buffer).digest() for buffer in buffers]
        self.held |= {chunk: bytes(buffer) for chunk, buffer in zip(found, buffers, strict=True)}
        return Shelved(found)

    def read(self, ids: Iterable[bytes]) -> Iterator[bytes]:
        return (self.held[chunk] for chunk in ids)


class Shelved:
    def __init__(self, ids: list[bytes]) -> None:
        self.ids = ids

    def result(self) -> list[bytes]:
        return self.ids
