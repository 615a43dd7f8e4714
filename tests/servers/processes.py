"""Start a server as a process of its own on ports of the loopback, and end it."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

_PATIENCE_S = 60.0


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now, all different."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in held]


def listens(port: int, address: str = "127.0.0.1") -> bool:
    """Tell whether somebody accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def running(
    command: Sequence[str], log: Path, is_ready: Callable[[], bool], cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Keep a server running within the context; what it prints goes to a file."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=cwd)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not is_ready():
            assert process.poll() is None, f"{command[0]} ended: {log.read_text(errors='replace')[-2000:]}"
            assert time.monotonic() < deadline, f"{command[0]} is not ready: {log.read_text(errors='replace')[-2000:]}"
            time.sleep(0.1)
        yield process
    finally:
        process.kill()  # nobody needs its data any more, and some take their time to say goodbye
        process.wait()


@contextlib.contextmanager
def away(server: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let a server answer nobody within the context."""
    server.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)
