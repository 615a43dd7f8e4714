"""What goes wrong while a tree is written, in words for people."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from runner.base import errors, files
from runner.repository import tree_entry

_REPLACED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EEXIST, errno.ENOENT})


def escape(path: tree_entry.NamePath, how: str) -> errors.PermanentError:
    """Return RT314 for an entry that would be written somewhere else than where it belongs."""
    return errors.PermanentError(
        f"{tree_entry.show(path)} was not restored: {how}",
        code="RT314",
        hint="do not trust this export, or see who changes the target while it is restored",
        context={"path": tree_entry.show(path)},
    )


@contextmanager
def writing(target: str | os.PathLike[str], path: tree_entry.NamePath) -> Iterator[None]:
    """Turn a failure to write an entry into RT311, RT312 or RT314.

    Args:
        target: Where the tree is written; its file system is named when it is full.
        path: The entry.
    """
    try:
        yield
    except OSError as error:
        known = files.problem_of(error, target)
        if known is not None:
            known.context["path"] = tree_entry.show(path)
            raise known from error
        if error.errno in _REPLACED:
            raise escape(path, f"something else stands in its way ({error.strerror})") from error
        raise errors.EnvironmentProblem(
            f"{tree_entry.show(path)} cannot be written to {os.fspath(target)}: {error.strerror}",
            code="RT311",
            hint="choose a target on a file system that can hold it",
        ) from error
