"""Requests from other processes to the driver of a run: one small file each, made whole, taken away when journalled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec

from runner.base import files, ids


class Cancel(msgspec.Struct, frozen=True):
    """Give the run up, in order."""


class Approve(msgspec.Struct, frozen=True):
    """Let a phase that waits for approval go on."""

    node: str
    comment: str = ""


class Settle(msgspec.Struct, frozen=True):
    """Say how an attempt in doubt ended: `rerun`, `succeeded` or `failed`."""

    node: str
    how: str


Ask: TypeAlias = Cancel | Approve | Settle

_KINDS: dict[str, type[Cancel] | type[Approve] | type[Settle]] = {
    "cancel": Cancel,
    "approve": Approve,
    "settle": Settle,
}


def post(directory: Path, ask: Ask) -> str:
    """Leave a request durably; returns its id."""
    directory.mkdir(mode=0o700, exist_ok=True)
    kind = next(name for name, known in _KINDS.items() if isinstance(ask, known))
    fields = {name: getattr(ask, name) for name in ask.__struct_fields__}
    request = ids.base32(ids.random_bytes(10), 16)
    files.write_atomically(directory / f"{request}.json", json.dumps({"kind": kind, **fields}).encode())
    return request


def pending(directory: Path) -> Iterator[tuple[str, Ask]]:
    """Yield the requests that are there, by id."""
    if not directory.is_dir():
        return
    for path in sorted(directory.glob("*.json")):
        fields = json.loads(path.read_bytes())
        yield path.stem, _KINDS[fields.pop("kind")](**fields)


def remove(directory: Path, request: str) -> None:
    """Take a request away once the journal holds it."""
    (directory / f"{request}.json").unlink(missing_ok=True)
