"""Object lock of S3: objects that nobody can remove or change before a date, for whatever credentials are stolen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from runner.base import clock as clocks
from runner.base import durations, errors
from runner.base.jsonvalue import JsonObject
from runner.locations import credentials, names, object_errors, object_store, wrapper
from runner.registry import location

# What changes all the time (docs/repository-format.md).
_UNLOCKED = ("locks/", "gc/", "probe-")
_SHORTEST = timedelta(days=1)
_DAY = timedelta(days=1)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long objects are locked, and whether anybody may end it early.

    Attributes:
        mode: `compliance` (nobody may) or `governance` (who has a permission of its own may).
        period: At least this long from when something is stored, or used again.
    """

    mode: str
    period: timedelta

    def until(self, now: datetime) -> datetime:
        """Return the date for what is stored now: rounded up, so that extending what is used again is seldom due."""
        epoch = max(_DAY, self.period / 10)
        start = datetime.fromtimestamp(0, UTC)
        return start - ((start - (now + self.period)) // epoch) * epoch


def policy_of(spec: JsonObject) -> Policy | None:
    """Return the policy of a location profile, or None.

    Raises:
        UsageError: RT403 if its period is none, or shorter than a day.
    """
    found = spec.get("retention")
    if not isinstance(found, dict):
        return None
    try:
        period = durations.parse(str(found["period"]))
    except ValueError as problem:
        raise errors.UsageError(str(problem), code="RT403", hint="write period like 720h") from problem
    if period < _SHORTEST:
        raise errors.UsageError(
            f'the period "{found["period"]}" of retention is shorter than a day',
            code="RT403",
            hint="make it 24h or more",
        )
    return Policy(mode=str(found["mode"]), period=period)


class Retained(wrapper.Wrapper):
    """An object store in which what is stored is locked, and removed with all its versions when the lock has ended.

    Args:
        inner: The store.
        client: A client of boto3 for the same bucket.
        bucket: Its name.
        prefix: What keys begin with.
        policy: How long.
        clock: The time.
    """

    _inner: object_store.ObjectStore

    def __init__(
        self,
        inner: object_store.ObjectStore,
        client: Any,
        *,
        bucket: str,
        prefix: str,
        policy: Policy,
        clock: clocks.Clock,
    ) -> None:
        super().__init__(inner)
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._policy = policy
        self._clock = clock

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Store an object, and lock it."""
        self._inner.put(name, data, overwrite=overwrite)
        if not name.startswith(_UNLOCKED):
            self._lock(name)

    def delete(self, name: str) -> None:
        """Remove an object with all its versions; in a versioned bucket anything else would only hide it.

        Raises:
            ObjectLocked: While one of them is locked; nothing is removed then.
        """
        names.check(name)
        until = self.locked_until(name)
        if until is not None:
            raise self._refusal(name, _until(until))
        for version in self._versions(name):
            self._remove(name, version)

    def honours_conditions(self, name: str) -> bool:
        """Ask the store inside."""
        return self._inner.honours_conditions(name)

    def locked_until(self, name: str) -> datetime | None:
        """Return when the lock of an object ends; None if it has none, or it has ended."""
        until = self._retention(name)
        return until if until is not None and until > self._clock.now() else None

    def extend(self, name: str) -> None:
        """Lock an object for as long as one that is stored now, if it is not."""
        until = self._retention(name)
        if until is None or until < self._policy.until(self._clock.now()):
            self._lock(name)

    def check_retention(self) -> str:
        """Describe the lock that is used.

        Raises:
            EnvironmentProblem: RT403 if the bucket has been made without object lock.
        """
        try:
            with self._translated(""):
                self._client.get_object_lock_configuration(Bucket=self._bucket)
        except location.LocationError as problem:
            raise errors.EnvironmentProblem(
                f"the bucket of {self.url} has no object lock",
                code="RT403",
                details=problem.details,
                hint="use a bucket that was made with object lock, or remove retention from the location profile",
            ) from problem
        return f"{self._policy.mode}, {self._policy.period.days} days"

    def _remove(self, name: str, version: str) -> None:
        try:
            with self._translated(name):
                self._client.delete_object(**self._key(name, VersionId=version))
        except errors.EnvironmentProblem as problem:
            # Stores refuse what is locked in the words for somebody who may remove nothing at all.
            reason = self._why_kept(name, version)
            if not reason:
                raise
            raise self._refusal(name, reason, problem.details) from problem

    def _why_kept(self, name: str, version: str) -> str:
        """Return what keeps a version from being removed; empty if that cannot be found out."""
        with contextlib.suppress(errors.RunnerError), self._translated(name):
            until = self._retention(name, VersionId=version)
            if until is not None and until > self._clock.now():
                return _until(until)
            hold = self._client.get_object_legal_hold(**self._key(name, VersionId=version))
            if hold["LegalHold"]["Status"] == "ON":
                return "under a legal hold"
        return ""

    def _refusal(self, name: str, reason: str, details: str = "") -> location.ObjectLocked:
        return location.ObjectLocked(
            f"the object {name} in {self.url} is {reason}",
            details=details,
            hint="wait until that has ended; `runner explain RT422` says more",
        )

    def _key(self, name: str, **others: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + name, **others}

    def _lock(self, name: str) -> None:
        until = self._policy.until(self._clock.now())
        with self._translated(name):
            self._client.put_object_retention(
                **self._key(name), Retention={"Mode": self._policy.mode.upper(), "RetainUntilDate": until}
            )

    def _retention(self, name: str, **version: str) -> datetime | None:
        with contextlib.suppress(location.ObjectMissing), self._translated(name):
            facts = self._client.get_object_retention(**self._key(name, **version))
            until: datetime | None = facts.get("Retention", {}).get("RetainUntilDate")
            return until
        return None

    def _versions(self, name: str) -> Iterator[str]:
        key = self._prefix + name
        with self._translated(name):
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key)
            found = [entry for page in pages for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, ())]
        return (entry["VersionId"] for entry in found if entry["Key"] == key)

    @contextlib.contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        from botocore import exceptions

        try:
            yield
        except exceptions.ClientError as problem:
            raise _answer(problem, name, self.url) from problem
        except exceptions.BotoCoreError as problem:
            raise location.LocationUnavailable(f"{self.url} does not answer", details=str(problem)) from problem


def _until(end: datetime) -> str:
    return f"locked until {clocks.isoformat(end)}"


def _answer(problem: Any, name: str, url: str) -> errors.RunnerError:
    """Return the error of the contract, by the same table as for everything else."""
    status = int(problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    error = problem.response.get("Error", {})
    code, message = error.get("Code", ""), error.get("Message", "")
    if code in ("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError") and name:
        return location.ObjectMissing(f"the object {name} has no retention")
    said = f"status code: {status} <Code>{code}</Code><Message>{message}</Message>"
    return object_errors.translate(OSError(said), name, url)


def wrap(
    inner: object_store.ObjectStore, spec: JsonObject, *, endpoint: str, prefix: str, clock: clocks.Clock
) -> Retained | object_store.ObjectStore:
    """Return the store with the retention that its profile asks for.

    Raises:
        UsageError: RT403 if the profile is off.
        EnvironmentProblem: RT204 if boto3 is missing.
    """
    policy = policy_of(spec)
    if policy is None:
        return inner
    client = _client(spec, endpoint, clock)
    return Retained(inner, client, bucket=str(spec["bucket"]), prefix=prefix, policy=policy, clock=clock)


def _client(spec: JsonObject, endpoint: str, clock: clocks.Clock) -> Any:
    try:
        import boto3
        from botocore import config
    except ImportError as problem:
        raise errors.EnvironmentProblem(
            "retention of objects in S3 needs boto3, which is not installed",
            code="RT204",
            hint="pip install 'blueprint-runner[aws]'",
        ) from problem
    if spec.get("tokenFile"):
        raise errors.UsageError(
            "retention cannot be used with tokenFile",
            code="RT403",
            hint="set AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN in the environment instead",
        )
    proxy = spec.get("proxy")
    settings = config.Config(
        s3={"addressing_style": "path" if spec.get("pathStyle", bool(endpoint)) else "auto"},
        retries={"max_attempts": 4},
        connect_timeout=10,
        read_timeout=60,
        proxies={"http": str(proxy), "https": str(proxy)} if proxy else None,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    keys = credentials.aws(spec, clock)
    found = keys() if keys is not None else {}
    return boto3.client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=str(spec.get("region") or "us-east-1") if endpoint or spec.get("region") else None,
        verify=str(spec["caFile"]) if spec.get("caFile") else None,
        config=settings,
        aws_access_key_id=found.get("access_key_id"),
        aws_secret_access_key=found.get("secret_access_key"),
        aws_session_token=found.get("token"),
    )
