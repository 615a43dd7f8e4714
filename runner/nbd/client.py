"""A client of the NBD protocol over one connected socket; one thread at a time uses it.

It is our own because there is no binding that `pip` can install, and because it needs little: data goes between the
kernel and the caller's buffer without a copy, and what waits, waits without the interpreter lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from types import TracebackType

from runner.base import errors
from runner.nbd import wire
from runner.registry import driver

# What servers have to accept in one request, as far as the protocol promises anything.
MOST_BYTES = 32 << 20
# The length of a request has 32 bits; whole multiples of every cluster size.
_MOST_STATUS = 1 << 30
# A server that says nothing for so long will say nothing any more.
_PATIENCE_S = 120.0


class Connection:
    """One connection, in which one export was chosen.

    Args:
        connected: The socket; it is closed with the connection.
        export: The export's name.
        contexts: Metadata contexts that `status` will be asked for.

    Raises:
        StorageError: If the server does not speak what is needed, or does not have the export or a context.
        StorageUnavailable: If the connection breaks.
    """

    def __init__(self, connected: socket.socket, export: str, contexts: Sequence[str] = ()) -> None:
        self._socket = connected
        self._contexts: dict[int, str] = {}
        self._cookie = 0
        self.size_bytes = 0
        self._socket.settimeout(_PATIENCE_S)
        with _translated():
            try:
                self._greet()
                self._negotiate(export, contexts)
            except BaseException:
                self._socket.close()
                raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye and close the socket."""
        with contextlib.suppress(OSError):  # the server is gone, so it needs no goodbye
            self._request(wire.Command.DISCONNECT, 0, 0)
        self._socket.close()

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill a buffer from `offset` on.

        Raises:
            StorageError: If the server cannot read.
            StorageUnavailable: If the connection breaks.
        """
        view = target.cast("B")
        with _translated():
            for start in range(0, len(view), MOST_BYTES):
                part = view[start : start + MOST_BYTES]
                self._request(wire.Command.READ, offset + start, len(part), wire.CommandFlag.DONT_FRAGMENT)
                for kind, length in self._chunks():
                    self._take(kind, length, offset + start, part)

    def write(self, offset: int, data: memoryview) -> None:
        """Write a buffer at `offset`.

        Raises:
            EnvironmentProblem: RT312 if the server's disk is full.
            StorageError: If it cannot write.
            StorageUnavailable: If the connection breaks.
        """
        view = data.cast("B")
        with _translated():
            for start in range(0, len(view), MOST_BYTES):
                part = view[start : start + MOST_BYTES]
                self._request(wire.Command.WRITE, offset + start, len(part))
                self._socket.sendall(part)
                self._finish()

    def flush(self) -> None:
        """Let the server make durable what was written.

        Raises:
            As `write`.
        """
        with _translated():
            self._request(wire.Command.FLUSH, 0, 0)
            self._finish()

    def status_at(self, context: str, offset: int) -> list[tuple[int, int]]:
        """Return length and flags of the stretches from `offset` on: at least one, though hardly ever all.

        Raises:
            StorageError: If the server cannot tell.
            StorageUnavailable: If the connection breaks.
        """
        rest = min(_MOST_STATUS, self.size_bytes - offset)
        found: list[tuple[int, int]] = []
        with _translated():
            self._request(wire.Command.BLOCK_STATUS, offset, rest)
            for _, size in self._chunks():
                payload = self._receive(size)
                if self._contexts.get(*wire.NUMBER.unpack_from(payload)) == context:
                    found = list(wire.DESCRIPTOR.iter_unpack(payload[wire.NUMBER.size :]))
        for number, (length, flags) in enumerate(found):
            if not length:
                raise _off(f"it does not say what lies at byte {offset}")
            found[number] = (min(length, rest), flags)  # the last one may tell of more than was asked
            rest -= found[number][0]
        if not found:
            raise _off(f"it does not say what lies at byte {offset}")
        return [one for one in found if one[0]]

    def _greet(self) -> None:
        magic, option_magic, flags = wire.GREETING.unpack(self._receive(wire.GREETING.size))
        if (magic, option_magic) != (wire.MAGIC, wire.OPTION_MAGIC) or not flags & wire.Handshake.FIXED_NEWSTYLE:
            raise _off("it does not speak the newstyle protocol")
        self._socket.sendall(wire.CLIENT_FLAGS.pack(flags & (wire.Handshake.FIXED_NEWSTYLE | wire.Handshake.NO_ZEROES)))

    def _negotiate(self, export: str, contexts: Sequence[str]) -> None:
        self._option(wire.Option.STRUCTURED_REPLY, b"", "it does not offer structured replies")
        name = _counted(export)
        if contexts:
            asked = name + wire.NUMBER.pack(len(contexts)) + b"".join(map(_counted, contexts))
            for reply, payload in self._option(wire.Option.SET_META_CONTEXT, asked, f"it has no export {export}"):
                if reply == wire.OptionReply.META_CONTEXT:
                    self._contexts[wire.NUMBER.unpack_from(payload)[0]] = payload[wire.NUMBER.size :].decode()
        missing = set(contexts) - set(self._contexts.values())
        if missing:
            raise _off(f"it has no {', '.join(sorted(missing))}")
        no_further_wishes = b"\0\0"
        for reply, payload in self._option(wire.Option.GO, name + no_further_wishes, f"it has no export {export}"):
            if reply == wire.OptionReply.INFO and payload[:2] == wire.Info.EXPORT.to_bytes(2, "big"):
                self.size_bytes = wire.EXPORT_INFO.unpack(payload)[1]

    def _option(self, option: wire.Option, payload: bytes, refused: str) -> list[tuple[int, bytes]]:
        """Ask for an option; return the replies before the one that ends it."""
        self._socket.sendall(wire.OPTION.pack(wire.OPTION_MAGIC, option, len(payload)) + payload)
        replies: list[tuple[int, bytes]] = []
        while True:
            magic, about, reply, length = wire.OPTION_REPLY.unpack(self._receive(wire.OPTION_REPLY.size))
            if magic != wire.OPTION_REPLY_MAGIC or about != option or length > MOST_BYTES:
                raise _off("it answers what was not asked")
            answer = bytes(self._receive(length))
            if reply >= wire.OptionReply.ERROR:
                raise _off(refused, answer.decode(errors="replace"))
            if reply == wire.OptionReply.ACK:
                return replies
            replies.append((reply, answer))

    def _request(
        self, command: wire.Command, offset: int, length: int, flags: wire.CommandFlag = wire.CommandFlag.NONE
    ) -> None:
        self._cookie += 1
        self._socket.sendall(wire.REQUEST.pack(wire.REQUEST_MAGIC, flags, command, self._cookie, offset, length))

    def _finish(self) -> None:
        for _, length in self._chunks():
            self._receive(length)

    def _chunks(self) -> Iterator[tuple[wire.Chunk, int]]:
        """Yield kind and length of the chunks of the reply to the last request; the caller takes their payload.

        An error is raised when the reply has come to its end, so that the connection can be used further.
        """
        problem: errors.RunnerError | None = None
        done = False
        while not done:
            (magic,) = wire.REPLY_MAGIC.unpack(self._receive(wire.REPLY_MAGIC.size))
            if magic == wire.SIMPLE_MAGIC:
                number, cookie = wire.SIMPLE_REST.unpack(self._receive(wire.SIMPLE_REST.size))
                problem, done = _refused(number, "") if number else None, True
            elif magic == wire.STRUCTURED_MAGIC:
                flags, kind, cookie, length = wire.STRUCTURED_REST.unpack(self._receive(wire.STRUCTURED_REST.size))
                done = bool(flags & wire.ReplyFlag.DONE)
                if kind >= wire.Chunk.ERROR:
                    problem = self._problem(length)
                elif kind != wire.Chunk.NONE:
                    yield wire.Chunk(kind), length
            else:
                raise _off("its reply starts with the wrong number")
            if cookie != self._cookie:
                raise _off("it answers what was not asked")
        if problem is not None:
            raise problem

    def _take(self, kind: wire.Chunk, length: int, base: int, target: memoryview) -> None:
        if kind is wire.Chunk.OFFSET_DATA:
            (offset,) = wire.OFFSET.unpack(self._receive(wire.OFFSET.size))
            self._receive_into(_within(target, offset - base, length - wire.OFFSET.size))
            return
        offset, size = wire.HOLE.unpack(self._receive(length))
        _within(target, offset - base, size)[:] = bytes(size)

    def _problem(self, length: int) -> errors.RunnerError:
        payload = self._receive(length)
        number, size = wire.ERROR.unpack_from(payload)
        return _refused(number, payload[wire.ERROR.size : wire.ERROR.size + size].decode(errors="replace"))

    def _receive(self, length: int) -> bytearray:
        data = bytearray(length)
        self._receive_into(memoryview(data))
        return data

    def _receive_into(self, view: memoryview) -> None:
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise ConnectionResetError(errno.ECONNRESET, "the server has closed the connection")
            view = view[count:]


def _counted(text: str) -> bytes:
    data = text.encode()
    return wire.NUMBER.pack(len(data)) + data


def _within(target: memoryview, start: int, length: int) -> memoryview:
    if start < 0 or length < 0 or start + length > len(target):
        raise _off("it sends data that nobody asked for")
    return target[start : start + length]


def _off(what: str, details: str = "") -> driver.StorageError:
    return driver.StorageError(
        f"the NBD server cannot be used: {what}", details=details, hint="see which version of QEMU is installed"
    )


def _refused(number: int, details: str) -> errors.RunnerError:
    reason = os.strerror(number)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return errors.EnvironmentProblem(
            "the disk of the image is full", code="RT312", details=details, hint="make room there"
        )
    if number == errno.ESHUTDOWN:
        return driver.StorageUnavailable(f"the NBD server shuts down: {reason}", details=details)
    return driver.StorageError(f"the NBD server refuses a request: {reason}", details=details)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise driver.StorageUnavailable(
            "the connection to the NBD server broke", details=str(error), hint="see whether QEMU still runs"
        ) from error
