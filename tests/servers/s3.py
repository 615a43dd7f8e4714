"""What tests need of a running server that speaks the language of S3, whatever its make."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.base.jsonvalue import JsonObject
from runner.locations import object_clients
from runner.registry import location

INSTALL = "pip install -e '.[server]'"
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Keys:
    """The access key of a user, and its secret."""

    access: str
    secret: str


class S3Server:
    """A running server with a bucket, and one with object lock when it is asked for.

    Args:
        endpoint: Its address.
        directory: Where files with credentials are put.
        keys: Of `admin`, who may do everything, and of others.
    """

    bucket = "backups"
    locking_bucket = "locking"

    def __init__(self, endpoint: str, directory: Path, keys: Mapping[str, Keys]) -> None:
        self.endpoint = endpoint
        self._directory = directory
        self._admin = keys["admin"]
        for name, pair in keys.items():
            lines = f"[default]\naws_access_key_id = {pair.access}\naws_secret_access_key = {pair.secret}\n"
            self.credentials(name).write_text(lines)

    def credentials(self, who: str = "admin") -> Path:
        """Return the credentials file of the administrator or of somebody who may do less."""
        return self._directory / f"{who}.credentials"

    def environment(self) -> dict[str, str]:
        """Return the variables with which a plain `s3://` URL leads here."""
        return {
            "AWS_ACCESS_KEY_ID": self._admin.access,
            "AWS_SECRET_ACCESS_KEY": self._admin.secret,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
        }

    def client(self) -> Any:
        """Return a client of boto3 with all rights."""
        boto3 = pytest.importorskip("boto3", reason=f"boto3 is missing: {INSTALL}")
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self._admin.access,
            aws_secret_access_key=self._admin.secret,
        )

    def locking(self, mode: str) -> JsonObject:
        """Return the `spec` of a profile with retention, in a bucket with object lock."""
        client = self.client()
        if self.locking_bucket not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=self.locking_bucket, ObjectLockEnabledForBucket=True)
        return {**self.spec(bucket=self.locking_bucket), "retention": {"mode": mode, "period": "24h"}}

    def spec(self, **others: str | bool) -> JsonObject:
        """Return the `spec` of a profile that leads to a place of its own."""
        return {
            "type": "s3",
            "bucket": self.bucket,
            "prefix": f"test-{next(_numbers)}",
            "endpoint": self.endpoint,
            "credentialsFile": str(self.credentials()),
            **others,
        }

    def has_bucket(self) -> bool:
        """Tell whether an object can be stored in the bucket."""
        probe = object_clients.open_spec({**self.spec(), "prefix": ""}, patience={"max_retries": 0})
        try:
            probe.put("ready", [b""], overwrite=True)
        except location.LocationUnavailable:
            return False
        return True
