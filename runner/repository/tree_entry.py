"""One entry of a tree export: what is known about a file, a directory or anything else that has a name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec
from msgspec import structs

from runner.base import errors
from runner.repository import encoding, failures, sequences
from runner.repository.encoding import CborValue

# Names from the root of the tree down; the first one is that of the root itself.
NamePath: TypeAlias = "tuple[bytes, ...]"


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    FIFO = "fifo"
    CHARACTER = "character"
    BLOCK = "block"
    SOCKET = "socket"
    LINK = "link"


_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFCHR: Kind.CHARACTER,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFSOCK: Kind.SOCKET,
}

_KINDS_BY_NAME = {kind.value: kind for kind in Kind}
# Numbers, since looking for bytes in bytes takes ten times as long.
_SLASH, _NUL = b"/\0"


def kind_of(mode: int) -> Kind:
    """Return what a mode of `stat` says the entry is."""
    return _KINDS[stat.S_IFMT(mode)]


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry has beside its content.

    Attributes:
        mode: Permission bits with set-user-id, set-group-id and sticky bit.
        user: Name of the owner where there was one; kept for people, restored is the number.
        mtime: Modification time in nanoseconds since 1970.
        xattrs: Extended attributes; POSIX access lists are among them.
    """

    mode: int
    uid: int
    gid: int
    user: str = ""
    group: str = ""
    mtime: int
    xattrs: Mapping[bytes, bytes] = msgspec.field(default_factory=dict)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry; entries stand in the order of a walk that visits a directory before what is in it.

    Attributes:
        depth: 0 for a root, one more than its directory for everything else.
        size: Length of a file in bytes, holes included.
        content: The chunks and holes of a file.
        hash: BLAKE3 of the data of a file without its holes, taken when it was captured.
        ctime: Change time in nanoseconds; 0 when the file was so new that the time may not tell the next change.
        target: What a symbolic link says.
        link: Where the first name of a hard-linked file is; such an entry has nothing else.
        device: Major and minor number.
    """

    depth: int
    name: bytes
    kind: Kind
    metadata: Metadata | None = None
    size: int = 0
    content: sequences.ChunkSequence | None = None
    hash: bytes = b""
    ctime: int = 0
    inode: int = 0
    target: bytes = b""
    link: NamePath = ()
    device: tuple[int, int] | None = None


def to_cbor(entry: Entry) -> dict[str, CborValue]:
    """Return the form that is encoded; the ids of the content stand apart."""
    value: dict[str, CborValue] = {"depth": entry.depth, "name": entry.name, "type": entry.kind.value}
    if entry.metadata is not None:
        value |= _encode_metadata(entry.metadata)
    if entry.content is not None:
        value |= {
            "size": entry.size,
            "content": entry.content.to_cbor(),
            "hash": entry.hash,
            "ctime": entry.ctime,
            "inode": entry.inode,
        }
    optional: dict[str, CborValue] = {
        "target": entry.target,
        "link": list(entry.link),
        "device": list(entry.device or ()),
    }
    value |= {key: part for key, part in optional.items() if part}
    return value


def encode(entry: Entry, content: sequences.ChunkSequence | None) -> bytes:
    """Write the form of `to_cbor` of an entry with this content, whatever content it says itself."""
    metadata = entry.metadata
    if entry.kind is not Kind.FILE or metadata is None or content is None or entry.target or entry.link or entry.device:
        return encoding.encode(to_cbor(structs.replace(entry, content=content)))
    # Nearly all entries are plain files; sorting their keys would take three times as long as writing them.
    value: dict[str, CborValue] = {
        "gid": metadata.gid,
        "uid": metadata.uid,
        "hash": entry.hash,
        "mode": metadata.mode,
        "name": entry.name,
        "size": entry.size,
        "type": "file",
        "user": metadata.user,
        "ctime": entry.ctime,
        "depth": entry.depth,
        "group": metadata.group,
        "inode": entry.inode,
        "mtime": metadata.mtime,
    }
    if metadata.xattrs:
        value["xattrs"] = _pairs(metadata.xattrs)
    value["content"] = content.to_cbor()
    return encoding.encode_sorted(value)


def _encode_metadata(metadata: Metadata) -> dict[str, CborValue]:
    value: dict[str, CborValue] = {
        "mode": metadata.mode,
        "uid": metadata.uid,
        "gid": metadata.gid,
        "user": metadata.user,
        "group": metadata.group,
        "mtime": metadata.mtime,
    }
    return value | ({"xattrs": _pairs(metadata.xattrs)} if metadata.xattrs else {})


def _pairs(xattrs: Mapping[bytes, bytes]) -> CborValue:
    return [[name, value] for name, value in sorted(xattrs.items())]


def from_cbor(value: object, ids: Iterator[bytes]) -> Entry:
    """Read what `to_cbor` returned.

    Args:
        value: The decoded map.
        ids: Ids of chunks, of which it takes as many as its content needs.

    Raises:
        RepositoryDamaged: If it is not an entry.
        PermanentError: RT314 if its name could leave the directory.
    """
    try:
        return _from_cbor(value, ids)
    except (KeyError, TypeError, ValueError) as problem:
        raise failures.damaged("an entry of a tree", "it has another form than it should") from problem


def _from_cbor(value: object, ids: Iterator[bytes]) -> Entry:
    if not isinstance(value, dict):
        raise TypeError("an entry is a map")
    kind = _KINDS_BY_NAME[value["type"]]
    get = value.get
    major_minor = get("device")
    return Entry(
        depth=_depth(value["depth"]),
        name=check_name(value["name"]),
        kind=kind,
        metadata=None if kind is Kind.LINK else _decode_metadata(value),
        size=get("size", 0),
        content=sequences.from_cbor(value["content"], ids) if kind is Kind.FILE else None,
        hash=get("hash", b""),
        ctime=get("ctime", 0),
        inode=get("inode", 0),
        target=get("target", b""),
        link=tuple(map(check_name, get("link", ()))),
        device=None if major_minor is None else (major_minor[0], major_minor[1]),
    )


def _depth(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("a depth is a number")
    return value


def _decode_metadata(value: Mapping[str, Any]) -> Metadata:
    return Metadata(
        mode=value["mode"],
        uid=value["uid"],
        gid=value["gid"],
        user=value["user"],
        group=value["group"],
        mtime=value["mtime"],
        xattrs=dict(value.get("xattrs", ())),
    )


def check_name(name: object) -> bytes:
    """Return the name if it is one name within a directory.

    Raises:
        PermanentError: RT314 if it leads elsewhere.
    """
    if not isinstance(name, bytes):
        raise TypeError("a name is a byte string")
    if name in (b"", b".", b"..") or _SLASH in name or _NUL in name:
        raise errors.PermanentError(
            f'the export holds an entry with the name "{show((name,))}", which leads out of its directory',
            code="RT314",
            hint="do not trust this export; nothing of it was restored",
        )
    return name


def show(path: NamePath) -> str:
    """Write a path for people: what is not printable text is escaped."""
    text = os.fsencode("/").join(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
