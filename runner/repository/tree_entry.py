"""One entry of a tree export: what is known about a file, a directory or anything else that has a name."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import msgspec

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
    # The mode of a further name of a file, which has nothing of its own.
    0: Kind.LINK,
}

_TYPES = {kind: mode for mode, kind in _KINDS.items()}
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


class Row(NamedTuple):
    """An entry as it stands in the table of a page, in the order of the columns there.

    Attributes:
        ids: How many ids of the node its content takes.
        mode: With the bits for the type, as `stat` has it; 0 for a further name of a file.
        rest: A map of what only some kinds of entries have, encoded.
    """

    gid: int
    ids: int
    uid: int
    mode: int
    name: bytes
    rest: bytes
    size: int
    user: str
    ctime: int
    depth: int
    group: str
    inode: int
    mtime: int


_NO_METADATA = Metadata(mode=0, uid=0, gid=0, mtime=0)
# What tells whether an entry is as it was: the first four tell it of the content of a file.
FACTS = ("ctime", "inode", "mtime", "size", "mode", "uid", "gid", "user", "group")
Facts: TypeAlias = "tuple[int, int, int, int, int, int, int, str, str]"


def encode(entry: Entry, content: sequences.ChunkSequence | None) -> Row:
    """Return the row of an entry with this content, whatever content it says itself."""
    metadata = entry.metadata or _NO_METADATA
    return Row(
        gid=metadata.gid,
        ids=0 if content is None else len(content.ids),
        uid=metadata.uid,
        mode=_TYPES[entry.kind] | metadata.mode,
        name=entry.name,
        rest=_encode_rest(entry, content),
        size=entry.size,
        user=metadata.user,
        ctime=entry.ctime,
        depth=entry.depth,
        group=metadata.group,
        inode=entry.inode,
        mtime=metadata.mtime,
    )


def _encode_rest(entry: Entry, content: sequences.ChunkSequence | None) -> bytes:
    rest: dict[str, CborValue] = {}
    if entry.hash:
        rest["hash"] = entry.hash
    if entry.link:
        rest["link"] = list(entry.link)
    if entry.device is not None:
        rest["device"] = list(entry.device)
    if entry.target:
        rest["target"] = entry.target
    if entry.metadata is not None and entry.metadata.xattrs:
        rest["xattrs"] = [[name, value] for name, value in sorted(entry.metadata.xattrs.items())]
    if content is not None:
        rest["content"] = content.to_cbor()
    return encoding.encode_sorted(rest)


def decode(row: Row, ids: Sequence[bytes]) -> Entry:
    """Read what `encode` returned.

    Args:
        row: The row.
        ids: Those that the content takes.

    Raises:
        RepositoryDamaged: If it is not an entry.
        PermanentError: RT314 if its name could leave the directory.
    """
    try:
        return _decode(row, iter(ids))
    except (KeyError, TypeError, ValueError) as problem:
        raise failures.damaged("an entry of a tree", "it has another form than it should") from problem


def _decode(row: Row, ids: Iterator[bytes]) -> Entry:
    kind = _KINDS[stat.S_IFMT(row.mode)]
    rest = encoding.decode(row.rest, "an entry of a tree")
    get: Callable[..., Any] = rest.get
    device = get("device")
    content = sequences.from_cbor(rest["content"], ids) if kind is Kind.FILE else None
    if next(ids, None) is not None:
        raise ValueError("the content takes fewer ids")
    return Entry(
        depth=row.depth,
        name=check_name(row.name),
        kind=kind,
        metadata=None if kind is Kind.LINK else _metadata(row, get("xattrs", ())),
        size=row.size,
        content=content,
        hash=get("hash", b""),
        ctime=row.ctime,
        inode=row.inode,
        target=get("target", b""),
        link=tuple(map(check_name, get("link", ()))),
        device=None if device is None else (device[0], device[1]),
    )


def _metadata(row: Row, xattrs: Iterable[tuple[bytes, bytes]]) -> Metadata:
    return Metadata(
        mode=stat.S_IMODE(row.mode),
        uid=row.uid,
        gid=row.gid,
        user=row.user,
        group=row.group,
        mtime=row.mtime,
        xattrs=dict(xattrs),
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
