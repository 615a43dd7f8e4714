"""Names of objects: relative paths of `[A-Za-z0-9._-]+` parts."""

from __future__ import annotations

import re

_PART = re.compile(r"[A-Za-z0-9._-]+")
_PREFIX = re.compile(r"[A-Za-z0-9._/-]*")


def is_part(text: str) -> bool:
    """Tell whether a text may be one part of a name."""
    return _PART.fullmatch(text) is not None and text not in (".", "..")


def check(name: str) -> str:
    """Return a name as it is.

    Raises:
        ValueError: If it is not one; it never reaches the store then.
    """
    if not all(map(is_part, name.split("/"))):
        raise ValueError(f"{name!r} is not the name of an object")
    return name


def check_prefix(prefix: str) -> str:
    """Return the beginning of a name, which may be empty or end anywhere.

    Raises:
        ValueError: If no name begins like this.
    """
    *parents, _ = prefix.split("/")
    if not all(map(is_part, parents)) or not _PREFIX.fullmatch(prefix):
        raise ValueError(f"no object has a name that starts with {prefix!r}")
    return prefix
