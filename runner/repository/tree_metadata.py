"""Owner, mode, times and extended attributes: read from a file system, and set in one."""

from __future__ import annotations

import contextlib
import errno
import functools
import grp
import os
import pwd
import stat
from collections.abc import Mapping

from runner.repository import tree_entry

_UNSUPPORTED = frozenset({errno.ENOTSUP, errno.ENODATA, errno.EPERM, errno.EACCES, errno.EINVAL})


def place_of(parent: int, name: bytes) -> bytes:
    """Return a path for calls that take no directory descriptor; its last part must not be followed."""
    return b"/proc/self/fd/%d/%s" % (parent, name)


def place_of_descriptor(descriptor: int) -> bytes:
    """Return a path that leads to what a descriptor stands for, also to one opened with `O_PATH`."""
    return b"/proc/self/fd/%d" % descriptor


class MetadataReader:
    """Reads metadata, and remembers the names of owners."""

    def __init__(self) -> None:
        self._owner = functools.lru_cache(1024)(_owner)

    def owner(self, facts: os.stat_result) -> tuple[str, str]:
        """Return the names of owner and group, empty ones where there are none."""
        return self._owner(facts.st_uid, facts.st_gid)

    def read(self, place: int | bytes, facts: os.stat_result) -> tree_entry.Metadata:
        """Return the metadata of an entry.

        Args:
            place: A descriptor, or a path of `place_of`.
            facts: Its `lstat`.
        """
        user, group = self.owner(facts)
        return tree_entry.Metadata(
            mode=stat.S_IMODE(facts.st_mode),
            uid=facts.st_uid,
            gid=facts.st_gid,
            user=user,
            group=group,
            mtime=facts.st_mtime_ns,
            xattrs=read_xattrs(place),
        )


def _owner(uid: int, gid: int) -> tuple[str, str]:
    user = group = ""
    with contextlib.suppress(KeyError):
        user = pwd.getpwuid(uid).pw_name
    with contextlib.suppress(KeyError):
        group = grp.getgrgid(gid).gr_name
    return user, group


def read_xattrs(place: int | bytes) -> Mapping[bytes, bytes]:
    """Return the extended attributes that can be read; none where the file system has none."""
    found: dict[bytes, bytes] = {}
    # What is open has been followed already, or not.
    follow = isinstance(place, int)
    try:
        for name in os.listxattr(place, follow_symlinks=follow):
            found[os.fsencode(name)] = os.getxattr(place, name, follow_symlinks=follow)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    return found


class MetadataWriter:
    """Sets metadata, and remembers what this user or the file system would not let it set.

    Attributes:
        owners_unset: How many entries kept the owner that they were made with.
        xattrs_unset: Names of the attributes that could not be set.
    """

    def __init__(self) -> None:
        self.owners_unset = 0
        self.xattrs_unset: set[bytes] = set()

    def apply(self, place: int | bytes, metadata: tree_entry.Metadata, *, is_symlink: bool = False) -> None:
        """Set everything; the order matters, for each call may undo what a later one sets.

        Args:
            place: A descriptor, or a path of `place_of`.
            metadata: What is set.
            is_symlink: Whether the place is a symbolic link, which has no mode of its own.
        """
        owned = self._set_owner(place, metadata, follow=not is_symlink)
        self._set_xattrs(place, metadata.xattrs, follow=not is_symlink)
        if not is_symlink:
            # A program must not get the rights of an owner that it was not given back to.
            os.chmod(place, metadata.mode if owned else metadata.mode & ~(stat.S_ISUID | stat.S_ISGID))
        os.utime(place, ns=(metadata.mtime, metadata.mtime), follow_symlinks=not is_symlink)

    def warnings(self) -> list[str]:
        """Return a sentence for each thing that could not be set."""
        found = []
        if self.owners_unset:
            found.append(f"the owner of {self.owners_unset} entries could not be set, which needs root")
        if self.xattrs_unset:
            shown = ", ".join(tree_entry.show((name,)) for name in sorted(self.xattrs_unset)[:5])
            found.append(f"extended attributes could not be set here: {shown}")
        return found

    def _set_owner(self, place: int | bytes, metadata: tree_entry.Metadata, *, follow: bool) -> bool:
        try:
            os.chown(place, metadata.uid, metadata.gid, follow_symlinks=follow)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
            self.owners_unset += 1
            return False
        return True

    def _set_xattrs(self, place: int | bytes, xattrs: Mapping[bytes, bytes], *, follow: bool) -> None:
        for name, value in xattrs.items():
            try:
                os.setxattr(place, name, value, follow_symlinks=follow)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
                self.xattrs_unset.add(name)
