"""SeaweedFS, a real S3 server that comes as a Python wheel."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.servers import processes, s3

INSTALL = s3.INSTALL
_KEYS = {"admin": s3.Keys("ADMIN", "admin-secret"), "reader": s3.Keys("READER", "reader-secret")}
_RIGHTS = {"admin": ["Admin", "Read", "List", "Tagging", "Write"], "reader": ["Read", "List"]}


def program() -> str | None:
    """Return the path of the server, or None."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextlib.contextmanager
def started(directory: Path) -> Iterator[s3.S3Server]:
    """Run a server that keeps its data in a directory; the first object of its administrator makes the bucket."""
    command = program()
    assert command is not None, INSTALL
    identities = [
        {
            "name": name,
            "credentials": [{"accessKey": keys.access, "secretKey": keys.secret}],
            "actions": _RIGHTS[name],
        }
        for name, keys in _KEYS.items()
    ]
    (directory / "s3.json").write_text(json.dumps({"identities": identities}))
    (directory / "data").mkdir()
    names = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
    ports = dict(zip(names, processes.free_ports(len(names)), strict=True))
    server = s3.S3Server(f"http://127.0.0.1:{ports['s3.port']}", directory, _KEYS)
    options = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=data", "-filer", "-s3", "-s3.config=s3.json"]
    options += [
        "-volume.max=20",
        "-master.volumeSizeLimitMB=256",
        "-master.telemetry=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    options += [f"-{name}={port}" for name, port in ports.items()]
    with processes.running([command, "server", *options], directory / "log", server.has_bucket, cwd=directory):
        yield server
