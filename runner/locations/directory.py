"""A location in a directory, also on a mounted network share: one file per object."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from runner.base import clock as clocks
from runner.base import errors, files
from runner.locations import descriptors, names
from runner.registry import location

# No object can have such a name, because `~` is not allowed in one.
_TEMPORARY = "~tmp"

# What an NFS client makes of a file that is removed while it is open; it goes when the file is closed.
_SILLY = re.compile(r"\.nfs[0-9a-f]{16,}")

MAX_USED_PERCENT = 95

_UNAVAILABLE = frozenset(
    {errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN, errno.EAGAIN, errno.ENETDOWN, errno.EBUSY}
)
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR})
_BUSY_TRIES = 20
_BUSY_S = 0.1


class Directory:
    """Stores objects below a directory, which is made by the first `put`.

    An object is written under a temporary name in the same file system, made durable, and then given its name, which
    replaces nothing. Files have mode 0600, directories 0700. What else lies in the directory is no object and is left.

    Args:
        path: The directory.
        clock: Tells how old leftovers are.
        max_used_percent: How full the file system may be for more exports.
    """

    listing_delay = 0.0

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: clocks.Clock | None = None,
        max_used_percent: int = MAX_USED_PERCENT,
    ) -> None:
        self.root = Path(path).absolute()
        self._max_used_percent = max_used_percent
        self._clock = clock or clocks.SystemClock()
        self._descriptors = descriptors.Descriptors()
        self._durable: set[Path] = set()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The `file://` URL."""
        return "file://" + urllib.parse.quote(os.fspath(self.root))

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Store an object durably."""
        target = self._path(name)
        with _translated(name, self.root, putting=True):
            if not overwrite and os.path.lexists(target):
                raise _exists(name)
            self._prepare(target.parent)
            self._write(target, data, overwrite=overwrite)

    def get(self, name: str) -> bytes:
        """Return a whole object."""
        with _translated(name, self.root), self._path(name).open("rb") as file:
            return file.read()

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""
        path = os.fspath(self._path(name))
        rest = memoryview(target).cast("B")
        with _translated(name, self.root):
            try:
                self._fill(name, path, offset, rest)
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
                # The server has forgotten the open file; the one that has the name now may be as good.
                self._descriptors.forget(path)
                self._fill(name, path, offset, rest)

    def _fill(self, name: str, path: str, offset: int, rest: memoryview) -> None:
        with self._descriptors.open(path) as descriptor:
            while rest:
                count = os.preadv(descriptor, [rest], offset)
                if not count:
                    raise location.LocationError(f"the object {name} ends at byte {offset}, before what is to be read")
                offset += count
                rest = rest[count:]

    def stat(self, name: str) -> location.ObjectInfo:
        """Describe an object."""
        path = self._path(name)
        with _translated(name, self.root):
            facts = path.stat()
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "is a directory", os.fspath(path))
        return _info(name, facts)

    def list(self, prefix: str) -> Iterator[location.ObjectInfo]:
        """List objects in the order of names; holds one directory per level in memory."""
        parent, _, _ = names.check_prefix(prefix).rpartition("/")
        return self._walk(parent + "/" if parent else "", prefix)

    def delete(self, name: str) -> None:
        """Remove an object durably."""
        path = self._path(name)
        self._descriptors.forget(os.fspath(path))
        with (
            _translated(name, self.root),
            contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        ):
            path.unlink()
            files.flush_directory(path.parent)

    def sweep(self) -> int:
        """Remove temporary files of dead processes."""
        removed = 0
        now = self._clock.now()
        with _translated(_TEMPORARY, self.root), contextlib.suppress(FileNotFoundError):
            with os.scandir(self.root / _TEMPORARY) as entries:
                leftovers = [entry.path for entry in entries if files.is_leftover(entry, now)]
            for path in leftovers:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                    removed += 1
        return removed

    def check_room(self) -> None:
        """Refuse more exports when the file system is fuller than its profile allows."""
        with _translated("", self.root):
            place = next(place for place in (self.root, *self.root.parents) if place.exists())
            facts = os.statvfs(place)
        used = facts.f_blocks - facts.f_bfree
        # As `df` counts: blocks that only root may use belong to neither side.
        percent = used * 100 / ((used + facts.f_bavail) or 1)
        if percent > self._max_used_percent:
            raise errors.EnvironmentProblem(
                f"the file system of {self.root} is {percent:.0f} % full; exports stop at {self._max_used_percent} %",
                code="RT312",
                hint="delete restore points and prune, make room, or raise maxUsedPercent in the location profile",
            )

    def _path(self, name: str) -> Path:
        return self.root / names.check(name)

    def _prepare(self, directory: Path) -> None:
        """Make a directory of objects; its own name is made durable too, whoever made it."""
        with self._lock:
            if directory in self._durable:
                return
        if not self.root.is_dir():
            files.make_directories(self.root)
        for place in reversed((directory, *directory.parents)):
            if place.is_relative_to(self.root) and place != self.root:
                with contextlib.suppress(FileExistsError):
                    place.mkdir(0o700)
                files.flush_directory(place.parent)
        (self.root / _TEMPORARY).mkdir(0o700, exist_ok=True)
        with self._lock:
            self._durable.add(directory)

    def _write(self, target: Path, data: Sequence[location.Buffer], *, overwrite: bool) -> None:
        temporary = self.root / _TEMPORARY / files.temporary_name()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                files.write_all(descriptor, data)
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
            self._publish(temporary, target, overwrite=overwrite)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _publish(self, temporary: Path, target: Path, *, overwrite: bool) -> None:
        """Give a file its name; on an SMB share one that is open, or was just closed, cannot be renamed for a while."""
        self._descriptors.forget(os.fspath(target))
        for _ in range(_BUSY_TRIES):
            try:
                files.publish(temporary, target, overwrite=overwrite)
                return
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
            self._clock.wait(threading.Event(), _BUSY_S)
        files.publish(temporary, target, overwrite=overwrite)

    def _walk(self, directory: str, prefix: str) -> Iterator[location.ObjectInfo]:
        for name in self._names(directory):
            if not name.startswith(prefix) and not (name.endswith("/") and prefix.startswith(name)):
                continue
            if name.endswith("/"):
                yield from self._walk(name, prefix)
                continue
            with contextlib.suppress(location.ObjectMissing):  # removed since the directory was read
                yield self.stat(name)

    def _names(self, directory: str) -> Sequence[str]:
        """Return the names in a directory; those of directories end in `/`, which also puts them in order."""
        with (
            _translated(directory, self.root),
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self.root / directory) as entries,
        ):
            return sorted(
                directory + entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
                for entry in entries
                if names.is_part(entry.name)
                and not _SILLY.fullmatch(entry.name)
                and (entry.is_dir(follow_symlinks=False) or entry.is_file())
            )
        return ()


def _info(name: str, facts: os.stat_result) -> location.ObjectInfo:
    modified = datetime.fromtimestamp(facts.st_mtime, UTC)
    return location.ObjectInfo(name=name, size=facts.st_size, modified=modified)


def _exists(name: str) -> location.ObjectExists:
    return location.ObjectExists(f"there is an object {name} already", hint="choose another name, or remove it first")


@contextlib.contextmanager
def _translated(name: str, root: Path, *, putting: bool = False) -> Iterator[None]:
    """Turn errors of the operating system into those of the contract."""
    try:
        yield
    except FileExistsError as error:
        raise _exists(name) from error
    except OSError as error:
        problem = files.problem_of(error, error.filename or root)
        if problem is not None:
            raise problem from error
        if error.errno in _MISSING and not putting:
            raise location.ObjectMissing(f"there is no object {name} in {root}") from error
        kind = location.LocationUnavailable if error.errno in _UNAVAILABLE else location.LocationError
        what = f"the object {name} in {root}" if name else f"the directory {root}"
        raise kind(f"{what} cannot be used: {error.strerror}", details=str(error)) from error
