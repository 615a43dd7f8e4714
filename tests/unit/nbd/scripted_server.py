"""A server of the NBD protocol for the tests of the client, which can be told to misbehave."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from runner.nbd import client

Status = Sequence[tuple[int, int]]


@dataclass(kw_only=True)
class Server:
    """Serves one export on one connection.

    Attributes:
        data: What is in it.
        contexts: Length and flags of the stretches of each metadata context.
        fragment: Into pieces of how many bytes a read is cut; zeros are sent as holes.
        options: Options that it refuses.
        failing: Number of the error with which it answers commands of a kind.
        silent_after: After how many commands it closes the connection.
        simple_errors: Whether errors come as simple replies.
        greeting: What it says first.
        most: How many stretches of a context it tells at once.
    """

    data: bytearray = field(default_factory=bytearray)
    contexts: dict[str, Status] = field(default_factory=dict)
    name: str = "disk"
    fragment: int = 1 << 30
    refused: Sequence[int] = ()
    failing: dict[int, int] = field(default_factory=dict)
    silent_after: int | None = None
    simple_errors: bool = False
    greeting: bytes = b"NBDMAGIC" + b"IHAVEOPT" + struct.pack(">H", 3)
    most: int = 1 << 20
    seen: list[tuple[int, int, int, int]] = field(default_factory=list)
    wrong_cookie: int = 0
    extra: int = 0

    @contextlib.contextmanager
    def connected(self, *contexts: str, export: str = "disk") -> Iterator[client.Connection]:
        with self.client_end() as ours:
            yield client.Connection(ours, export, contexts)

    @contextlib.contextmanager
    def client_end(self) -> Iterator[socket.socket]:
        """Give the client's end; the server ends with it."""
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=self._serve, args=(theirs,))
        thread.start()
        try:
            yield ours
        finally:
            ours.close()
            thread.join()

    def _serve(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError, EOFError):
            peer.sendall(self.greeting)
            _take(peer, 4)
            chosen = self._options(peer)
            served = 0
            while served != self.silent_after:
                _, flags, kind, cookie, offset, length = struct.unpack(">IHHQQI", _take(peer, 28))
                self.seen.append((kind, flags, offset, length))
                served += 1
                if kind == 2:
                    return
                payload = _take(peer, length) if kind == 1 else b""
                self._answer(peer, kind, cookie + self.wrong_cookie, offset, length, payload, chosen)

    def _options(self, peer: socket.socket) -> list[str]:
        chosen: list[str] = []
        while True:
            _, option, length = struct.unpack(">8sII", _take(peer, 16))
            payload = _take(peer, length)

            def reply(kind: int, data: bytes = b"", about: int = option) -> None:
                peer.sendall(struct.pack(">QIII", 0x3E889045565A9, about, kind, len(data)) + data)

            (size,) = struct.unpack_from(">I", payload) if payload else (0,)
            if option in self.refused or (payload and payload[4 : 4 + size].decode() != self.name):
                reply(0x80000006, b"no such thing")
                continue
            if option == 7:
                reply(3, struct.pack(">HQH", 0, len(self.data), 0))
                reply(3, struct.pack(">HIII", 3, 1, 4096, 1 << 25))
            if option == 10:
                wanted = _counted_texts(payload[8 + size :])
                chosen = [name for name in wanted if name in self.contexts]
                for number, name in enumerate(chosen):
                    reply(4, struct.pack(">I", number) + name.encode())
            reply(1)
            if option == 7:
                return chosen

    def _answer(
        self, peer: socket.socket, kind: int, cookie: int, offset: int, length: int, payload: bytes, chosen: list[str]
    ) -> None:
        def chunk(type_: int, data: bytes, done: int = 0) -> None:
            peer.sendall(struct.pack(">IHHQI", 0x668E33EF, done, type_, cookie, len(data)) + data)

        if kind in self.failing:
            if self.simple_errors:
                peer.sendall(struct.pack(">IIQ", 0x67446698, self.failing[kind], cookie))
            else:
                chunk(0x8001, struct.pack(">IH", self.failing[kind], 5) + b"alas!", done=1)
            return
        if kind == 0:
            for start in range(offset, offset + length, self.fragment):
                part = self.data[start : min(start + self.fragment, offset + length)] + bytes(self.extra)
                if part.strip(b"\0"):
                    chunk(1, struct.pack(">Q", start) + part)
                else:
                    chunk(2, struct.pack(">QI", start, len(part)))
            chunk(0, b"", done=1)
        elif kind == 7:
            for number, name in enumerate(chosen):
                told = _within(self.contexts[name], offset, length)[: self.most]
                chunk(5, struct.pack(">I", number) + b"".join(struct.pack(">II", *one) for one in told))
            chunk(0, b"", done=1)
        else:
            self.data[offset : offset + len(payload)] = payload
            peer.sendall(struct.pack(">IIQ", 0x67446698, 0, cookie))


def _within(status: Status, offset: int, length: int) -> list[tuple[int, int]]:
    """Cut at the start; at the end, as servers may, tell of more than was asked."""
    found, start = [], 0
    for size, flags in status:
        first = max(start, offset)
        if first < min(start + size, offset + length):
            found.append((start + size - first, flags))
        start += size
    return found


def _counted_texts(payload: bytes) -> list[str]:
    found = []
    while payload:
        (size,) = struct.unpack_from(">I", payload)
        found.append(payload[4 : 4 + size].decode())
        payload = payload[4 + size :]
    return found


def _take(peer: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = peer.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return data
