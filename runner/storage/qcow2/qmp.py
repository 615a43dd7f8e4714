"""A client of QMP, the protocol in which a running QEMU or `qemu-storage-daemon` is told what to do."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from runner.base import clock as clocks
from runner.registry import driver

# A monitor serves one client at a time. Others wait for its greeting, in vain if a manager never lets go of it.
_PATIENCE_S = 20.0
_PAUSE_S = 0.02


class Refused(driver.StorageError):
    """QEMU does not do what it was told."""


class NobodyThere(driver.StorageUnavailable):
    """No QEMU listens at the socket."""


class Session:
    """A conversation with one guest.

    Args:
        path: Its QMP socket.
        clock: Passes while others talk to the guest.

    Raises:
        NobodyThere: If no guest listens there.
        StorageUnavailable: If it does not answer.
    """

    def __init__(self, path: Path, clock: clocks.Clock) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE_S)
        try:
            self._connect(clock)
            self._lines = self._socket.makefile("rwb")
        except (FileNotFoundError, ConnectionRefusedError) as error:
            self._socket.close()
            raise NobodyThere(
                f"no guest listens at {path}",
                details=str(error),
                hint="see whether the guest runs",
            ) from error
        try:
            self._receive()  # the greeting
            self.run("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others talk to the guest."""
        self._lines.close()
        self._socket.close()

    def run(self, command: str, **arguments: object) -> Any:
        """Execute a command and return its result; underscores in the names of arguments stand for dashes.

        Raises:
            Refused: If the guest says no.
            StorageUnavailable: If it does not answer.
        """
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        self._send({"execute": command, "arguments": named})
        while True:
            answer = self._receive()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Refused(f"the guest at {self._path} refuses {command}", details=answer["error"]["desc"])

    def _connect(self, clock: clocks.Clock) -> None:
        deadline = clock.monotonic() + _PATIENCE_S
        while True:
            try:
                self._socket.connect(str(self._path))
                return
            except BlockingIOError as error:  # too many wait already; a timeout of the socket does not cover this
                if clock.monotonic() > deadline:
                    self._socket.close()
                    raise self._silent(str(error)) from error
                clock.wait(threading.Event(), _PAUSE_S)

    def _send(self, message: dict[str, object]) -> None:
        try:
            self._lines.write(json.dumps(message).encode() + b"\n")
            self._lines.flush()
        except OSError as error:
            raise self._silent(str(error)) from error

    def _receive(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError as error:
            raise self._silent(str(error)) from error
        if not line:
            raise self._silent("it has closed the connection")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _silent(self, details: str) -> driver.StorageUnavailable:
        return driver.StorageUnavailable(
            f"the guest at {self._path} does not answer",
            details=details,
            hint="give the runner a monitor of its own: no other client may hold the socket",
        )
