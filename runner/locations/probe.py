"""Find out with a few cheap calls what can be done at a location; nothing is left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum

import msgspec
from msgspec import structs

from runner.base import clock as clocks
from runner.base import errors, ids
from runner.registry import location

_CONTENT = bytes(range(256)) * 4
_SKEW = timedelta(minutes=1)

# What a provider calls the right to do what a check does.
PERMISSIONS: Mapping[str, Mapping[str, str]] = {
    "s3": {
        "list": "s3:ListBucket",
        "write": "s3:PutObject",
        "read": "s3:GetObject",
        "delete": "s3:DeleteObject",
        "retention": "s3:GetBucketObjectLockConfiguration",
    },
    "az": {
        "list": "Microsoft.Storage/…/containers/blobs/read",
        "write": "Microsoft.Storage/…/containers/blobs/write",
        "read": "Microsoft.Storage/…/containers/blobs/read",
        "delete": "Microsoft.Storage/…/containers/blobs/delete",
    },
    "gs": {
        "list": "storage.objects.list",
        "write": "storage.objects.create",
        "read": "storage.objects.get",
        "delete": "storage.objects.delete",
    },
}


class Verdict(StrEnum):
    """How a check ended; a `NO` is a fact, only `FAILED` keeps the location from being used."""

    YES = "yes"
    NO = "no"
    FAILED = "failed"
    UNTRIED = "untried"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found.

    Attributes:
        check: Its name, such as `write`.
        details: In words; empty where the verdict says all.
        permission: What the provider calls the permission that is missing; empty when it is not that.
        code: Of the error when it failed.
        hint: What to do when it failed.
    """

    check: str
    verdict: Verdict
    details: str = ""
    permission: str = ""
    code: str = ""
    hint: str = ""


def probe(
    place: location.Location,
    *,
    read_only: bool = False,
    clock: clocks.Clock,
    random: ids.RandomBytes = ids.random_bytes,
) -> Iterator[Finding]:
    """Yield the finding of each check.

    Args:
        place: The location.
        read_only: Whether its profile says that nothing may be written.
        clock: That of this machine, compared with the location's.
        random: Source of the name below which objects are written.
    """
    yield from _Probe(place, clock, f"probe-{ids.base32(random(10), 16)}").run(read_only=read_only)


class _Probe:
    def __init__(self, place: location.Location, clock: clocks.Clock, prefix: str) -> None:
        self._place = place
        self._clock = clock
        self._prefix = prefix
        self._name = f"{prefix}/object"
        self._scheme = place.url.partition("://")[0]
        self._has_begun = False

    def run(self, *, read_only: bool) -> Iterator[Finding]:
        checks = self._checks()
        try:
            for number, (name, check, writes) in enumerate(checks):
                if writes and read_only:
                    yield Finding(check=name, verdict=Verdict.UNTRIED, details="its profile says readOnly: true")
                    continue
                found = self._carry_out(name, check)
                yield found
                if found.verdict is Verdict.FAILED and (not found.permission or name == "write"):
                    untried = "something before it failed"
                    for later, _, _ in checks[number + 1 :]:
                        yield Finding(check=later, verdict=Verdict.UNTRIED, details=untried)
                    return
        finally:
            if self._has_begun:
                self._clean_up()

    def _checks(self) -> list[tuple[str, Callable[[], Finding | None], bool]]:
        """Return each check, and whether it needs an object of its own."""
        return [
            ("list", self._list, False),
            *([("retention", self._retention, False)] if isinstance(self._place, location.Retaining) else []),
            ("repository", self._repository, False),
            ("write", self._write, True),
            ("read", self._read, True),
            ("range reads", self._range, True),
            ("listed at once", self._is_listed, True),
            ("overwrite", self._overwrite, True),
            ("conditional writes", self._conditions, True),
            ("clock", self._skew, True),
            ("delete", self._delete, True),
        ]

    def _carry_out(self, name: str, check: Callable[[], Finding | None]) -> Finding:
        try:
            found = check()
        except errors.RunnerError as problem:
            permission = PERMISSIONS.get(self._scheme, {}).get(_RIGHTS.get(name, name), "")
            return Finding(
                check=name,
                verdict=Verdict.FAILED,
                details=f"{problem.message}: {problem.details}" if problem.details else problem.message,
                permission=(permission or "write access") if problem.code == "RT311" else "",
                code=problem.code,
                hint=problem.hint,
            )
        return structs.replace(found, check=name) if found is not None else Finding(check=name, verdict=Verdict.YES)

    def _list(self) -> None:
        next(self._place.list(self._prefix + "/"), None)

    def _repository(self) -> Finding:
        try:
            self._place.stat("config")
        except location.ObjectMissing:
            return _no("there is none yet")
        return _yes("there is one")

    def _write(self) -> None:
        self._has_begun = True
        self._place.put(self._name, [_CONTENT])

    def _read(self) -> None:
        if self._place.get(self._name) != _CONTENT:
            raise location.LocationError("what was read is not what was written")

    def _range(self) -> None:
        target = bytearray(100)
        self._place.read_into(self._name, 200, memoryview(target))
        if bytes(target) != _CONTENT[200:300]:
            raise location.LocationError("what was read is not what was asked for")

    def _is_listed(self) -> Finding | None:
        names = [info.name for info in self._place.list(self._prefix + "/")]
        return None if names == [self._name] else _no("a listing shows new objects late")

    def _overwrite(self) -> None:
        self._place.put(self._name, [_CONTENT, b"more"], overwrite=True)
        if self._place.stat(self._name).size != len(_CONTENT) + 4:
            raise location.LocationError("an object is as it was after it was overwritten")

    def _conditions(self) -> Finding | None:
        if isinstance(self._place, location.Conditional):
            honoured = self._place.honours_conditions(self._name)
        else:
            honoured = self._is_refused_twice()
        return None if honoured else _no("names are looked up before they are written")

    def _is_refused_twice(self) -> bool:
        try:
            self._place.put(self._name, [b"again"])
        except location.ObjectExists:
            return True
        return False

    def _skew(self) -> Finding:
        self._place.put(self._name, [b"now"], overwrite=True)
        apart = abs(self._place.stat(self._name).modified - self._clock.now())
        seconds = f"{apart.total_seconds():.0f} s apart from that of this machine"
        return _yes(seconds if apart >= timedelta(seconds=2) else "") if apart <= _SKEW else _no(seconds)

    def _delete(self) -> None:
        self._place.delete(self._name)
        with contextlib.suppress(location.ObjectMissing):
            self._place.stat(self._name)
            raise location.LocationError(f"the object {self._name} is there after it was deleted")

    def _retention(self) -> Finding | None:
        return _yes(self._place.check_retention()) if isinstance(self._place, location.Retaining) else None

    def _clean_up(self) -> None:
        with contextlib.suppress(errors.RunnerError):  # its check has told
            self._place.delete(self._name)


# Checks that need the right of another one.
_RIGHTS: Mapping[str, str] = {
    "range reads": "read",
    "listed at once": "list",
    "overwrite": "write",
    "conditional writes": "write",
    "clock": "write",
    "repository": "read",
}


def _yes(details: str) -> Finding:
    return Finding(check="", verdict=Verdict.YES, details=details)


def _no(details: str) -> Finding:
    return Finding(check="", verdict=Verdict.NO, details=details)
