"""A small NBD server: read-only exports for one machine, until somebody ends it."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Mapping

from runner.base import errors
from runner.nbd import handshake, wire

# Who has connected must say what it wants; afterwards it may be silent for ever.
_PATIENCE_S = 30.0
_MOST_CONNECTIONS = 32
_MOST_STRETCHES = 4096


class Server:
    """Serves exports on a listening socket.

    Args:
        listening: The socket; it is closed at the end.
        served: The exports by name.
        on_problem: Told in words what could not be read; called from any thread.
    """

    def __init__(
        self,
        listening: socket.socket,
        served: Mapping[str, handshake.Served],
        on_problem: Callable[[errors.RunnerError], None],
    ) -> None:
        self._listening = listening
        self._served = served
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}

    def run(self) -> None:
        """Serve until an exception (Ctrl-C) ends it, or `close` does."""
        try:
            while True:
                try:
                    connected, _ = self._listening.accept()
                except OSError as error:
                    if error.errno in (errno.ECONNABORTED, errno.EINTR):
                        continue
                    return
                self._start(connected)
        finally:
            self.close()

    def close(self) -> None:
        """Close all connections and take no more."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            left = dict(self._connections)
        for connected in left.values():
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
        for thread in left:
            thread.join()

    def _start(self, connected: socket.socket) -> None:
        with self._lock:
            if len(self._connections) >= _MOST_CONNECTIONS:
                connected.close()
                return
            thread = threading.Thread(target=self._serve, args=(connected,), name="nbd connection", daemon=True)
            self._connections[thread] = connected
        thread.start()

    def _serve(self, connected: socket.socket) -> None:
        try:
            with connected, contextlib.suppress(handshake.Ended, OSError):
                connected.settimeout(_PATIENCE_S)
                agreed = handshake.Handshake(connected, self._served).agree()
                connected.settimeout(None)
                Transmission(connected, agreed, self._on_problem).run()
        finally:
            with self._lock:
                del self._connections[threading.current_thread()]


class Transmission:
    """Answers the requests of one client, one after the other."""

    def __init__(
        self, connected: socket.socket, agreed: handshake.Agreed, on_problem: Callable[[errors.RunnerError], None]
    ) -> None:
        self._socket = connected
        self._agreed = agreed
        self._on_problem = on_problem

    def run(self) -> None:
        """Answer until the client says goodbye.

        Raises:
            Ended: If the client broke the protocol or went away.
        """
        while True:
            head = handshake.receive(self._socket, wire.REQUEST.size)
            magic, flags, command, cookie, offset, length = wire.REQUEST.unpack(head)
            if magic != wire.REQUEST_MAGIC or command == wire.Command.DISCONNECT:
                return
            if command == wire.Command.WRITE:
                self._swallow(length)
                self._refuse(cookie, errno.EPERM)
            elif not length or offset + length > self._agreed.blocks.size_bytes:
                self._refuse(cookie, errno.EINVAL)
            elif command == wire.Command.READ:
                self._read(cookie, offset, length)
            elif command == wire.Command.BLOCK_STATUS:
                self._status(cookie, offset, length, is_one=bool(flags & wire.CommandFlag.ONE))
            else:
                self._refuse(cookie, errno.EINVAL)

    def _read(self, cookie: int, offset: int, length: int) -> None:
        if length > handshake.MOST_BYTES:
            self._refuse(cookie, errno.EINVAL)
            return
        try:
            data = self._agreed.blocks.read(offset, length)
        except errors.RunnerError as problem:
            self._on_problem(problem)
            self._refuse(cookie, errno.EIO, problem.message)
            return
        if self._agreed.is_structured:
            head = self._chunk(cookie, wire.Chunk.OFFSET_DATA, wire.OFFSET.size + length) + wire.OFFSET.pack(offset)
        else:
            head = wire.REPLY_MAGIC.pack(wire.SIMPLE_MAGIC) + wire.SIMPLE_REST.pack(0, cookie)
        self._socket.sendall(head)
        self._socket.sendall(data)

    def _status(self, cookie: int, offset: int, length: int, *, is_one: bool) -> None:
        if not self._agreed.has_context:
            self._refuse(cookie, errno.EINVAL)
            return
        hole = wire.Allocation.HOLE | wire.Allocation.ZERO
        try:
            stretches = self._agreed.blocks.stretches(offset, length)
            found = [
                wire.DESCRIPTOR.pack(size, hole if is_hole else 0)
                for _, (size, is_hole) in zip(range(1 if is_one else _MOST_STRETCHES), stretches, strict=False)
            ]
        except errors.RunnerError as problem:
            self._on_problem(problem)
            self._refuse(cookie, errno.EIO, problem.message)
            return
        payload = wire.NUMBER.pack(handshake.CONTEXT_ID) + b"".join(found)
        self._socket.sendall(self._chunk(cookie, wire.Chunk.BLOCK_STATUS, len(payload)) + payload)

    def _refuse(self, cookie: int, number: int, message: str = "") -> None:
        if not self._agreed.is_structured:
            self._socket.sendall(wire.REPLY_MAGIC.pack(wire.SIMPLE_MAGIC) + wire.SIMPLE_REST.pack(number, cookie))
            return
        text = message.encode()[:4000]
        payload = wire.ERROR.pack(number, len(text)) + text
        self._socket.sendall(self._chunk(cookie, wire.Chunk.REFUSED, len(payload)) + payload)

    def _chunk(self, cookie: int, kind: wire.Chunk, length: int) -> bytes:
        rest = wire.STRUCTURED_REST.pack(wire.ReplyFlag.DONE, kind, cookie, length)
        return wire.REPLY_MAGIC.pack(wire.STRUCTURED_MAGIC) + rest

    def _swallow(self, length: int) -> None:
        for start in range(0, length, 1 << 20):
            handshake.receive(self._socket, min(1 << 20, length - start))
