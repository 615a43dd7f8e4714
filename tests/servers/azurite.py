"""Azurite, the emulator of Azure Blob Storage that Microsoft publishes for Node.js."""

from __future__ import annotations

import base64
import contextlib
import email.utils
import hashlib
import hmac
import itertools
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from runner.base.jsonvalue import JsonObject
from tests.servers import processes

INSTALL = "npm install -g azurite@3.35.0"
ACCOUNT = "devstoreaccount1"
# The key of every Azurite, published with it.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_VERSION = "2021-08-06"
_numbers = itertools.count()


def program() -> str | None:
    """Return the path of the server, or None."""
    return shutil.which("azurite-blob") or os.environ.get("AZURITE_BLOB")


class Azurite:
    """A running emulator with one container."""

    container = "backups"

    def __init__(self, port: int, directory: Path) -> None:
        self.endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        self.credentials = directory / "azure.credentials"
        self.credentials.write_text(f"azure_storage_account_id = {ACCOUNT}\nazure_storage_key = {KEY}\n")

    def spec(self, **others: str | bool) -> JsonObject:
        """Return the `spec` of a profile that leads to a place of its own."""
        return {
            "type": "azure",
            "container": self.container,
            "prefix": f"test-{next(_numbers)}",
            "endpoint": self.endpoint,
            "credentialsFile": str(self.credentials),
            **others,
        }

    def make_container(self) -> bool:
        """Make the container; tell whether it is there now."""
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": _VERSION}
        signed = "PUT" + "\n" * 12 + "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        signed += f"/{ACCOUNT}/{ACCOUNT}/{self.container}\nrestype:container"
        signature = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"
        url = f"{self.endpoint}/{self.container}?restype=container"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers), timeout=5):
                return True
        except urllib.error.HTTPError as problem:
            with problem:
                return problem.code == 409
        except OSError:
            return False


@contextlib.contextmanager
def started(directory: Path) -> Iterator[Azurite]:
    """Run an emulator that keeps its data in a directory."""
    command = program()
    assert command is not None, INSTALL
    (port,) = processes.free_ports(1)
    server = Azurite(port, directory)
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(directory / "data")]
    options += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with processes.running([command, *options], directory / "log", server.make_container, cwd=directory):
        yield server
