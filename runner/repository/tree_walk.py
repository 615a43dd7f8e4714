"""Walking over what is to be captured: every entry with its metadata, in the order in which it is stored."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec

from runner.base import cancel as cancels
from runner.base import errors, own_places
from runner.repository import tree_descent, tree_entry, tree_exclude, tree_metadata
from runner.repository.tree_entry import Kind

Warn = Callable[[str], None]


class Unreadable(StrEnum):
    """What happens when a file or directory cannot be read."""

    FAIL = "fail"
    SKIP = "skip"


class Visited(msgspec.Struct, frozen=True, kw_only=True):
    """An entry on the walk, valid until the walk goes on; nothing but its `lstat` was asked for so far.

    Attributes:
        above: The directory that it is in, from the name of its root down.
        stored: The name under which it is stored.
        kind: What it is.
        facts: Its `lstat`.
        parent: Descriptor of the directory that it is in.
        name: Its name there (that of a root may differ from the name under which it is stored).
        link: Where the file was met first, if this is a further name of it.
    """

    above: tree_entry.NamePath
    stored: bytes
    kind: Kind
    facts: os.stat_result
    parent: int
    name: bytes
    link: tree_entry.NamePath = ()

    @property
    def path(self) -> tree_entry.NamePath:
        """Where it is, from the name of its root down."""
        return (*self.above, self.stored)

    def open(self) -> int:
        """Open a file for reading.

        Raises:
            OSError: ELOOP when it was replaced by a symbolic link.
        """
        return os.open(self.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.parent)

    def describe(self, metadata: tree_metadata.MetadataReader) -> tree_entry.Entry:
        """Return the entry, that of a file without its content."""
        kind, facts = self.kind, self.facts
        if self.link:
            return tree_entry.Entry(depth=len(self.above), name=self.stored, kind=kind, link=self.link)
        return tree_entry.Entry(
            depth=len(self.above),
            name=self.stored,
            kind=kind,
            metadata=metadata.read(tree_metadata.place_of(self.parent, self.name), facts),
            target=os.readlink(self.name, dir_fd=self.parent) if kind is Kind.SYMLINK else b"",
            device=_device(kind, facts),
            size=facts.st_size if kind is Kind.FILE else 0,
            ctime=facts.st_ctime_ns,
            inode=facts.st_ino,
        )


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What is walked over.

    Attributes:
        roots: Files and directories; a root that is a symbolic link is followed.
        exclude: Patterns of `tree_exclude`.
        unreadable: Whether an unreadable entry fails the walk.
        own: What is left out with a warning, and is no root.
    """

    roots: Sequence[Path]
    exclude: Sequence[str] = ()
    own: own_places.OwnPlaces = msgspec.field(default_factory=own_places.OwnPlaces)
    unreadable: Unreadable = Unreadable.FAIL


def moments(facts: os.stat_result) -> tuple[int, int, int]:
    """Return what differs when a file has changed between two looks."""
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def named_roots(roots: Sequence[Path]) -> dict[bytes, Path]:
    """Return the roots by the names under which they are stored, in the order of the names.

    The name is the last part of the path; a second root of that name becomes `NAME-2`, and `/` becomes `root`.

    Raises:
        PermanentError: RT315 if one does not exist, RT313 if that cannot be seen.
    """
    named: dict[bytes, Path] = {}
    for root in dict.fromkeys(Path(os.path.normpath(root.absolute())) for root in roots):
        _see(root)
        base = os.fsencode(root.name) or b"root"
        candidates = (base if number == 1 else b"%s-%d" % (base, number) for number in range(1, len(roots) + 1))
        named[next(name for name in candidates if name not in named)] = root
    return dict(sorted(named.items()))


def _see(root: Path) -> None:
    try:
        root.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise errors.PermanentError(
            f"there is nothing at {root}", code="RT315", hint="name files and directories that exist"
        ) from error
    except OSError as error:
        raise errors.PermanentError(
            f"{root} cannot be read: {error.strerror}", code="RT313", hint="run as a user who may read it"
        ) from error


class Walk:
    """One walk over a scope; `visit` gets every entry, a directory before what is in it."""

    def __init__(
        self, scope: Scope, visit: Callable[[Visited], None], *, cancel: cancels.CancelToken, warn: Warn
    ) -> None:
        self._scope = scope
        self._visit = visit
        self._cancel = cancel
        self._warn = warn
        self._excluded = tree_exclude.Excluded(scope.exclude)
        self._own = scope.own.identities()
        self._path: tree_entry.NamePath = ()
        # Where each file with several names was met first, and how many of its names are still to come.
        self._linked: dict[tuple[int, int], tuple[tree_entry.NamePath, int]] = {}

    def run(self) -> None:
        """Walk.

        Raises:
            PermanentError: RT315 for a missing root, RT316 for one of the runner itself, RT313 for an unreadable entry.
        """
        for name, root in named_roots(self._scope.roots).items():
            if self._scope.own.holds(root):
                raise errors.PermanentError(
                    f"{root} belongs to the runner itself, so a backup of it would hold itself",
                    code="RT316",
                    hint="name the files of the application; copy a repository while nothing writes to it",
                )
            self._root(name, root)

    @contextmanager
    def _reading(self, path: tree_entry.NamePath) -> Iterator[None]:
        """Turn a failure to read an entry into RT313, or into a warning; what vanished or moved is a warning always."""
        try:
            yield
        except OSError as error:
            self._fail(path, error)

    def _fail(self, path: tree_entry.NamePath, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            self._warn(f"{tree_entry.show(path)} vanished while it was read")
        elif self._scope.unreadable is Unreadable.SKIP:
            self._warn(f"{tree_entry.show(path)} cannot be read and was left out: {error.strerror}")
        else:
            raise errors.PermanentError(
                f"{tree_entry.show(path)} cannot be read: {error.strerror}",
                code="RT313",
                hint="run as a user who may read it, exclude it, or set `unreadable: skip`",
                context={"path": tree_entry.show(path)},
            ) from error

    def _root(self, name: bytes, root: Path) -> None:
        real = root.resolve()
        with self._reading((name,)), tree_descent.Descent(tree_descent.open_parent(real.parent)) as descent:
            self._path = ()
            top = self._enter(descent, os.fsencode(real.name) or b".", stored=name)
            if top is not None:
                tree_descent.traverse(descent, top, functools.partial(self._enter, descent), self._leave)

    def _leave(self, _: bytes) -> None:
        self._path = self._path[:-1]

    def _enter(self, descent: tree_descent.Descent, name: bytes, *, stored: bytes | None = None) -> list[bytes] | None:
        """Visit one entry; return the names below when the walk is in a directory now."""
        self._cancel.raise_if_cancelled()
        parent, stored = descent.descriptor, stored or name
        below: list[bytes] | None = None
        try:
            facts = os.stat(name, dir_fd=parent, follow_symlinks=False)
            kind = tree_entry.kind_of(facts.st_mode)
            if self._is_left_out(stored, kind, facts):
                return None
            has_names = facts.st_nlink > 1 and kind is not Kind.DIRECTORY
            first = self._linked.get(_identity(facts)) if has_names else None
            visited = Visited(
                above=self._path,
                stored=stored,
                kind=kind if first is None else Kind.LINK,
                facts=facts,
                parent=parent,
                name=name,
                link=() if first is None else first[0],
            )
            if kind is Kind.DIRECTORY:
                below = _go_into(descent, name)
            self._visit(visited)
        except OSError as error:
            if below is not None:
                descent.leave()
            self._fail((*self._path, stored), error)
            return None
        if below is not None:
            self._path = visited.path
        elif has_names:
            self._remember(visited)
        return below

    def _is_left_out(self, stored: bytes, kind: Kind, facts: os.stat_result) -> bool:
        if self._scope.exclude and self._excluded.covers((*self._path, stored), is_directory=kind is Kind.DIRECTORY):
            return True
        if self._own and _identity(facts) in self._own:
            self._warn(f"{tree_entry.show((*self._path, stored))} belongs to the runner itself and was left out")
            return True
        if kind is Kind.SOCKET:
            self._warn(f"{tree_entry.show((*self._path, stored))} is a socket and was left out")
            return True
        return False

    def _remember(self, visited: Visited) -> None:
        """Keep the first name of a file with several until all have been met."""
        identity = _identity(visited.facts)
        first, missing = self._linked.pop(identity, (visited.path, visited.facts.st_nlink))
        if missing > 1:
            self._linked[identity] = (first, missing - 1)


def _go_into(descent: tree_descent.Descent, name: bytes) -> list[bytes]:
    descent.enter(name)
    try:
        return tree_descent.names(descent.descriptor)
    except OSError:
        descent.leave()
        raise


def _identity(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _device(kind: Kind, facts: os.stat_result) -> tuple[int, int] | None:
    if kind in (Kind.CHARACTER, Kind.BLOCK):
        return os.major(facts.st_rdev), os.minor(facts.st_rdev)
    return None
