"""How a client and the NBD server agree on an export before anything is read: fixed newstyle negotiation."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from runner.nbd import wire

CONTEXT = b"base:allocation"
CONTEXT_ID = 1
MOST_BYTES = 32 << 20
_PREFERRED = 64 << 10
# No option that is understood here is longer.
_MOST_OPTION = 64 << 10
_OLD_PADDING = bytes(124)


class Ended(Exception):
    """The client went away, or broke the protocol."""


class Served(Protocol):
    """What an export holds; used by several threads at once."""

    @property
    def size_bytes(self) -> int:
        """How much there is."""

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes from an offset on; the range lies within the export.

        Raises:
            RunnerError: If they cannot be read; the client is told of an input/output error.
        """

    def stretches(self, offset: int, length: int) -> Iterable[tuple[int, bool]]:
        """Yield length and whether it is a hole of the stretches of a range, in order."""


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed on.

    Attributes:
        is_structured: Whether replies are structured.
        has_context: Whether the client may ask which blocks are holes.
    """

    blocks: Served
    is_structured: bool
    has_context: bool


def receive(connected: socket.socket, length: int) -> bytes:
    """Return so many bytes.

    Raises:
        Ended: If the client went away.
    """
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = connected.recv_into(view)
        if not count:
            raise Ended
        view = view[count:]
    return bytes(data)


class Handshake:
    """One negotiation.

    Args:
        connected: The socket.
        served: The exports by name; the empty name stands for the default one, if there is one.
    """

    def __init__(self, connected: socket.socket, served: Mapping[str, Served]) -> None:
        self._socket = connected
        self._served = served
        self._is_structured = False
        self._context_of: str | None = None

    def agree(self) -> Agreed:
        """Go through the options that the client sends.

        Raises:
            Ended: If the client gave up, or there is no export that it wants.
        """
        ours = wire.Handshake.FIXED_NEWSTYLE | wire.Handshake.NO_ZEROES
        self._socket.sendall(wire.GREETING.pack(wire.MAGIC, wire.OPTION_MAGIC, ours))
        (theirs,) = wire.CLIENT_FLAGS.unpack(receive(self._socket, wire.CLIENT_FLAGS.size))
        if theirs & ~int(ours):
            raise Ended
        while True:
            magic, option, length = wire.OPTION.unpack(receive(self._socket, wire.OPTION.size))
            if magic != wire.OPTION_MAGIC or length > MOST_BYTES:
                raise Ended
            payload = receive(self._socket, length)
            if option == wire.Option.EXPORT_NAME:
                return self._old_way(payload, padded=not theirs & wire.Handshake.NO_ZEROES)
            if length > _MOST_OPTION:
                self._reply(option, wire.OptionReply.TOO_BIG)
                continue
            agreed = self._answer(option, payload)
            if agreed is not None:
                return agreed

    def _answer(self, option: int, payload: bytes) -> Agreed | None:
        match option:
            case wire.Option.ABORT:
                self._reply(option, wire.OptionReply.ACK)
                raise Ended
            case wire.Option.LIST:
                for name in self._served:
                    self._reply(option, wire.OptionReply.SERVER, _counted(name.encode()))
                self._reply(option, wire.OptionReply.ACK)
            case wire.Option.STRUCTURED_REPLY:
                self._is_structured = True
                self._reply(option, wire.OptionReply.ACK)
            case wire.Option.SET_META_CONTEXT | wire.Option.LIST_META_CONTEXT:
                self._contexts(option, payload)
            case wire.Option.GO | wire.Option.INFO:
                return self._go(option, payload)
            case _:
                self._reply(option, wire.OptionReply.UNSUPPORTED)
        return None

    def _contexts(self, option: int, payload: bytes) -> None:
        try:
            name, rest = _text(payload)
            (count,) = wire.NUMBER.unpack_from(rest)
            queries, rest = [], rest[wire.NUMBER.size :]
            for _ in range(count):
                query, rest = _take(rest)
                queries.append(query)
        except ValueError:
            self._reply(option, wire.OptionReply.INVALID)
            return
        if name not in self._served:
            self._reply(option, wire.OptionReply.UNKNOWN)
            return
        is_listed = option == wire.Option.LIST_META_CONTEXT and (not queries or b"base:" in queries)
        has_context = CONTEXT in queries or is_listed
        if option == wire.Option.SET_META_CONTEXT:
            self._context_of = name if has_context and self._is_structured else None
        if has_context:
            self._reply(option, wire.OptionReply.META_CONTEXT, wire.NUMBER.pack(CONTEXT_ID) + CONTEXT)
        self._reply(option, wire.OptionReply.ACK)

    def _go(self, option: int, payload: bytes) -> Agreed | None:
        try:
            name, rest = _text(payload)
            (count,) = wire.SHORT.unpack(rest[: wire.SHORT.size])
            wishes = [number for (number,) in wire.SHORT.iter_unpack(rest[wire.SHORT.size :][: 2 * count])]
        except (ValueError, struct.error):
            self._reply(option, wire.OptionReply.INVALID)
            return None
        blocks = self._served.get(name)
        if blocks is None:
            self._reply(option, wire.OptionReply.UNKNOWN, b"there is no such export")
            return None
        if wire.Info.BLOCK_SIZE in wishes:
            sizes = wire.BLOCK_SIZE_INFO.pack(wire.Info.BLOCK_SIZE, 1, _PREFERRED, MOST_BYTES)
            self._reply(option, wire.OptionReply.INFO, sizes)
        facts = wire.EXPORT_INFO.pack(wire.Info.EXPORT, blocks.size_bytes, self._flags())
        self._reply(option, wire.OptionReply.INFO, facts)
        self._reply(option, wire.OptionReply.ACK)
        if option == wire.Option.INFO:
            return None
        return Agreed(blocks=blocks, is_structured=self._is_structured, has_context=self._context_of == name)

    def _old_way(self, payload: bytes, *, padded: bool) -> Agreed:
        blocks = self._served.get(payload.decode(errors="replace"))
        if blocks is None:
            raise Ended  # this option has no way to say so
        head = wire.EXPORT_HEAD.pack(blocks.size_bytes, self._flags())
        self._socket.sendall(head + (_OLD_PADDING if padded else b""))
        return Agreed(blocks=blocks, is_structured=self._is_structured, has_context=False)

    def _flags(self) -> int:
        flags = wire.Transmission.HAS_FLAGS | wire.Transmission.READ_ONLY | wire.Transmission.CAN_MULTI_CONN
        return flags | (wire.Transmission.SEND_DONT_FRAGMENT if self._is_structured else 0)

    def _reply(self, option: int, reply: wire.OptionReply, payload: bytes = b"") -> None:
        head = wire.OPTION_REPLY.pack(wire.OPTION_REPLY_MAGIC, option, reply, len(payload))
        self._socket.sendall(head + payload)


def _counted(data: bytes) -> bytes:
    return wire.NUMBER.pack(len(data)) + data


def _take(data: bytes) -> tuple[bytes, bytes]:
    """Split what begins with its length from what follows.

    Raises:
        ValueError: If it is shorter than it says.
    """
    if len(data) < wire.NUMBER.size:
        raise ValueError("a length is missing")
    (length,) = wire.NUMBER.unpack_from(data)
    end = wire.NUMBER.size + length
    if len(data) < end:
        raise ValueError("a text is cut off")
    return data[wire.NUMBER.size : end], data[end:]


def _text(data: bytes) -> tuple[str, bytes]:
    name, rest = _take(data)
    return name.decode(), rest
