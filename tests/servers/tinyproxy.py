"""tinyproxy, a real HTTP proxy."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from tests.servers import processes

INSTALL = "apt-get install tinyproxy"


def program() -> str | None:
    """Return the path of the proxy, or None."""
    return shutil.which("tinyproxy")


@contextlib.contextmanager
def started(directory: Path) -> Iterator[tuple[str, Path]]:
    """Run a proxy; gives its address, and the log of what went through it."""
    command = program()
    assert command is not None, INSTALL
    (port,) = processes.free_ports(1)
    log = directory / "requests"
    config = directory / "tinyproxy.conf"
    config.write_text(
        f"Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nMaxClients 50\n"
        f'LogFile "{log}"\nLogLevel Connect\n'
    )

    def is_ready() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    with processes.running([command, "-d", "-c", str(config)], directory / "out", is_ready):
        yield f"http://127.0.0.1:{port}", log
