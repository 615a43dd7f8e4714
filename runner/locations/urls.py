"""Open a location by its URL or path."""

from __future__ import annotations

import re
import urllib.parse

from runner.base import clock as clocks
from runner.base import errors, suggest
from runner.locations import directory, memory, object_clients
from runner.registry import location

SCHEMES = ("file", "memory", *object_clients.SCHEMES)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


def open_url(url: str, *, clock: clocks.Clock | None = None) -> location.Location:
    """Open `file:///absolute/path`, a plain path, `memory://name`, or `s3://`, `az://` and `gs://` with bucket/prefix.

    Nothing is made or contacted yet.

    Raises:
        UsageError: RT403 if it is none of these.
    """
    match = _SCHEME.fullmatch(url)
    if match is None:
        return directory.Directory(_checked(url, url), clock=clock)
    scheme, rest = match[1].lower(), match[2]
    if scheme == "file":
        return directory.Directory(_checked(_path_of(url), url), clock=clock)
    if scheme == "memory":
        return memory.named(_checked(rest, url))
    if scheme in object_clients.SCHEMES:
        return object_clients.open_spec(object_clients.spec_of_url(url), clock=clock)
    raise errors.UsageError(
        f'there is no location type for "{scheme}://"', code="RT403", hint=suggest.hint(scheme, SCHEMES)
    )


def _path_of(url: str) -> str:
    parts = urllib.parse.urlsplit(url, allow_fragments=False)
    if parts.netloc not in ("", "localhost") or parts.query:
        return ""
    return urllib.parse.unquote(parts.path)


def _checked(place: str, url: str) -> str:
    if not place or "\0" in place:
        raise errors.UsageError(
            f'"{url}" does not name a location',
            code="RT403",
            hint="write file:///absolute/path, a path, memory://name, or s3://bucket/prefix",
        )
    return place
