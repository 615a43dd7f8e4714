"""SeaweedFS, a real S3 server that comes as a Python wheel."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.base.jsonvalue import JsonObject
from runner.locations import object_clients
from runner.registry import location
from tests.servers import processes

INSTALL = "pip install -e '.[server]'"
_KEYS = {"admin": ("ADMIN", "admin-secret"), "reader": ("READER", "reader-secret")}
_RIGHTS = {"admin": ["Admin", "Read", "List", "Tagging", "Write"], "reader": ["Read", "List"]}
_numbers = itertools.count()


def program() -> str | None:
    """Return the path of the server, or None."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


class SeaweedFs:
    """A running server with a bucket, and one with object lock when it is asked for."""

    bucket = "backups"
    locking_bucket = "locking"

    def __init__(self, endpoint: str, directory: Path) -> None:
        self.endpoint = endpoint
        self._directory = directory
        for name, (key, secret) in _KEYS.items():
            lines = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
            (directory / f"{name}.credentials").write_text(lines)

    def credentials(self, who: str = "admin") -> Path:
        """Return the credentials file of the administrator or of somebody who may only read."""
        return self._directory / f"{who}.credentials"

    def environment(self) -> dict[str, str]:
        """Return the variables with which a plain `s3://` URL leads here."""
        key, secret = _KEYS["admin"]
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
        }

    def client(self) -> Any:
        """Return a client of boto3 with all rights."""
        boto3 = pytest.importorskip("boto3", reason=f"boto3 is missing: {INSTALL}")
        key, secret = _KEYS["admin"]
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
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


@contextlib.contextmanager
def started(directory: Path) -> Iterator[SeaweedFs]:
    """Run a server that keeps its data in a directory."""
    command = program()
    assert command is not None, INSTALL
    identities = [
        {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": _RIGHTS[name]}
        for name, (key, secret) in _KEYS.items()
    ]
    (directory / "s3.json").write_text(json.dumps({"identities": identities}))
    (directory / "data").mkdir()
    names = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
    ports = dict(zip(names, processes.free_ports(len(names)), strict=True))
    server = SeaweedFs(f"http://127.0.0.1:{ports['s3.port']}", directory)
    options = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=data", "-filer", "-s3", "-s3.config=s3.json"]
    options += [
        "-volume.max=20",
        "-master.volumeSizeLimitMB=256",
        "-master.telemetry=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    options += [f"-{name}={port}" for name, port in ports.items()]
    with processes.running(
        [command, "server", *options], directory / "log", lambda: _has_bucket(server), cwd=directory
    ):
        yield server


def _has_bucket(server: SeaweedFs) -> bool:
    """Tell whether an object can be stored; an administrator's first one makes the bucket."""
    probe = object_clients.open_spec({**server.spec(), "prefix": ""}, patience={"max_retries": 0})
    try:
        probe.put("ready", [b""], overwrite=True)
    except location.LocationUnavailable:
        return False
    return True
