"""OpenBao, a real server with the API of HashiCorp Vault (of which it is a fork), from a Python wheel."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.servers import processes

INSTALL = "pip install -e '.[server]'"
ROOT = "root-of-the-tests"


def program() -> str | None:
    """Return the path of the server, or None."""
    beside = Path(sys.executable).with_name("bao")
    found = str(beside) if beside.exists() else shutil.which("bao")
    # The wheel has a launcher also where it has no binary.
    if found is None or subprocess.run([found, "version"], capture_output=True, check=False).returncode != 0:
        return None
    return found


class OpenBao:
    """A running server in memory, unsealed, with a transit engine."""

    def __init__(self, address: str) -> None:
        self.address = address

    def call(self, method: str, path: str, **body: Any) -> Any:
        """Ask for something as the administrator."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}", json.dumps(body).encode(), {"X-Vault-Token": ROOT}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            text = response.read()
        return json.loads(text) if text else {}

    def token(self, policy: str) -> str:
        """Return a token with a policy."""
        self.call("POST", "sys/policies/acl/tests", policy=policy)
        return str(self.call("POST", "auth/token/create", policies=["tests"])["auth"]["client_token"])


@contextlib.contextmanager
def started(directory: Path) -> Iterator[OpenBao]:
    """Run a server without storage of its own."""
    command = program()
    assert command is not None, INSTALL
    (port,) = processes.free_ports(1)
    server = OpenBao(f"http://127.0.0.1:{port}")
    options = ["-dev", f"-dev-root-token-id={ROOT}", f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token"]
    with processes.running([command, "server", *options], directory / "log", lambda: _is_ready(server), cwd=directory):
        server.call("POST", "sys/mounts/transit", type="transit")
        yield server


def _is_ready(server: OpenBao) -> bool:
    try:
        server.call("GET", "sys/mounts")
    except (urllib.error.URLError, OSError):
        return False
    return True
