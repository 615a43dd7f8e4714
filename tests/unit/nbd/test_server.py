"""The NBD server, by the project's own client and by bytes that no client would send."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.app import served_blocks
from runner.base import errors
from runner.locations import memory
from runner.nbd import client as clients
from runner.nbd import server as servers
from runner.nbd import wire
from runner.registry import driver
from runner.repository import ranges, repository
from tests.property.test_volumes import BLOCK, MIB, Image, export
from tests.unit.repository import making

SIZE = 9 * MIB + 3 * BLOCK
HOLES = (range(16, 100), range(700, 2000))


class Counting(memory.Memory):
    """A location that counts reads from packs."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        self.reads += name.startswith("data/")
        super().read_into(name, offset, target)


def disk() -> Image:
    written = [n for n in range(SIZE // BLOCK) if not any(n in hole for hole in HOLES)]
    return Image(SIZE, {number: making.noise(str(number), BLOCK) for number in written})


@pytest.fixture(scope="module")
def place() -> Counting:
    return Counting()


@pytest.fixture(scope="module")
def repo(place: Counting) -> repository.Repository:
    return making.make(place)


@pytest.fixture(scope="module")
def content(repo: repository.Repository) -> Callable[[], ranges.Content]:
    made = export(repo, disk(), "a").export
    return lambda: ranges.of_export(repo.manifest(made), repo.reader())


@pytest.fixture(scope="module")
def whole() -> bytes:
    image = disk()
    return b"".join(image.blocks.get(number, bytes(BLOCK)) for number in range(SIZE // BLOCK))


@contextlib.contextmanager
def serving(blocks: served_blocks.Blocks, problems: list[errors.RunnerError]) -> Iterator[tuple[str, int]]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = servers.Server(listening, {"disk": blocks, "": blocks}, problems.append)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.close()
        thread.join()


@pytest.fixture
def server(repo: repository.Repository, content: Callable[[], ranges.Content]) -> Iterator[tuple[str, int]]:
    problems: list[errors.RunnerError] = []
    with served_blocks.Blocks(content(), repo.reader()) as blocks, serving(blocks, problems) as place:
        yield place
    assert problems == []


def client(place: tuple[str, int], name: str = "disk", contexts: tuple[str, ...] = ()) -> clients.Connection:
    return clients.Connection(socket.create_connection(place), name, contexts)


def read(connection: clients.Connection, offset: int, length: int) -> bytes:
    data = bytearray(length)
    connection.read_into(offset, memoryview(data))
    return bytes(data)


def test_any_range_comes_as_it_was(server: tuple[str, int], whole: bytes) -> None:
    draw = random.Random(7)
    with client(server) as one, client(server, "") as two:
        assert one.size_bytes == two.size_bytes == SIZE
        for _ in range(40):
            offset = draw.randrange(SIZE)
            length = min(draw.choice([1, 512, 65_536, 300_001, 3 << 20]), SIZE - offset)
            assert read(draw.choice([one, two]), offset, length) == whole[offset : offset + length]


def test_holes_are_told(server: tuple[str, int]) -> None:
    with client(server, contexts=("base:allocation",)) as connection:
        found, offset = [], 0
        while offset < SIZE:
            for length, flags in connection.status_at("base:allocation", offset):
                found.append((offset, length, flags))
                offset += length
    chunk = 65_536
    assert found == [
        (0, chunk, 0),
        (chunk, 5 * chunk, 3),
        (6 * chunk, 38 * chunk, 0),
        (44 * chunk, 81 * chunk, 3),
        (125 * chunk, SIZE - 125 * chunk, 0),
    ]


def test_refused_requests_leave_the_connection_usable(server: tuple[str, int], whole: bytes) -> None:
    with client(server) as connection:
        for refused in (
            lambda: connection.write(0, memoryview(b"x" * 70_000)),
            lambda: read(connection, SIZE - 1, 2),
            lambda: read(connection, 1 << 60, 1),
            connection.flush,
            lambda: connection.status_at("base:allocation", 0),
        ):
            with pytest.raises(driver.StorageError):
                refused()
            assert read(connection, 5, 100) == whole[5:105]


def test_an_unknown_export_is_refused(server: tuple[str, int]) -> None:
    with pytest.raises(driver.StorageError, match="no export nothing"):
        client(server, "nothing")


def test_an_old_client_reads_as_well(server: tuple[str, int], whole: bytes) -> None:
    with socket.create_connection(server) as old, old.makefile("rb") as answers:
        answers.read(18)
        old.sendall(struct.pack(">I", 1) + wire.OPTION.pack(wire.OPTION_MAGIC, wire.Option.EXPORT_NAME, 4) + b"disk")
        size, flags = struct.unpack(">QH", answers.read(10))
        assert (size, flags & 0b11, answers.read(124)) == (SIZE, 0b11, bytes(124))
        old.sendall(wire.REQUEST.pack(wire.REQUEST_MAGIC, 0, wire.Command.READ, 77, 1000, 9))
        assert answers.read(16) == struct.pack(">IIQ", wire.SIMPLE_MAGIC, 0, 77)
        assert answers.read(9) == whole[1000:1009]
        old.sendall(wire.REQUEST.pack(wire.REQUEST_MAGIC, 0, wire.Command.READ, 78, SIZE, 9))
        assert answers.read(16) == struct.pack(">IIQ", wire.SIMPLE_MAGIC, 22, 78)


HELLO = struct.pack(">I", 3)


def option(number: int, payload: bytes = b"") -> bytes:
    return wire.OPTION.pack(wire.OPTION_MAGIC, number, len(payload)) + payload


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (option(99), wire.OptionReply.UNSUPPORTED),
        (option(wire.Option.GO), wire.OptionReply.INVALID),
        (option(wire.Option.GO, b"\xff\xff\xff\xffdisk"), wire.OptionReply.INVALID),
        (option(wire.Option.GO, b"\0\0\0\1\xff\0\0"), wire.OptionReply.INVALID),
        (option(wire.Option.GO, b"\0\0\0\4disc\0\0"), wire.OptionReply.UNKNOWN),
        (option(wire.Option.GO, bytes(70_000)), wire.OptionReply.TOO_BIG),
        (option(wire.Option.SET_META_CONTEXT, b"\0\0\0\4disk\0\0\0\5"), wire.OptionReply.INVALID),
        (option(wire.Option.SET_META_CONTEXT, b"\0\0\0\4disc\0\0\0\0"), wire.OptionReply.UNKNOWN),
        (option(wire.Option.LIST), wire.OptionReply.SERVER),
        (option(wire.Option.LIST_META_CONTEXT, b"\0\0\0\4disk\0\0\0\0"), wire.OptionReply.META_CONTEXT),
        (option(wire.Option.ABORT), wire.OptionReply.ACK),
    ],
)
def test_options_get_the_answer_of_the_protocol(
    server: tuple[str, int], asked: bytes, answer: wire.OptionReply
) -> None:
    with socket.create_connection(server) as odd, odd.makefile("rb") as answers:
        answers.read(18)
        odd.sendall(HELLO + asked)
        magic, _, reply, _ = wire.OPTION_REPLY.unpack(answers.read(wire.OPTION_REPLY.size))
        assert (magic, reply) == (wire.OPTION_REPLY_MAGIC, answer)


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xff\xff\xff\xff", HELLO + b"GET / HTTP/1.1\r\n\r\n", HELLO + option(1)],
)
def test_whoever_breaks_the_protocol_is_let_go(server: tuple[str, int], whole: bytes, garbage: bytes) -> None:
    with socket.create_connection(server) as odd, odd.makefile("rb") as answers:
        answers.read(18)
        odd.sendall(garbage)
        with contextlib.suppress(OSError):  # the server may have closed it already
            odd.shutdown(socket.SHUT_WR)
            assert len(answers.read()) < 200
    with client(server) as connection:
        assert read(connection, 0, 10) == whole[:10]


def test_small_reads_in_a_row_fetch_each_chunk_once_and_ahead(
    place: Counting, repo: repository.Repository, content: Callable[[], ranges.Content], whole: bytes
) -> None:
    with served_blocks.Blocks(content(), repo.reader()) as blocks:
        place.reads = 0
        data = b"".join(blocks.read(offset, 4096) for offset in range(0, 2 * MIB, 4096))
        assert data == whole[: 2 * MIB]
    assert place.reads < 25


def test_memory_is_bounded(repo: repository.Repository, content: Callable[[], ranges.Content], whole: bytes) -> None:
    with served_blocks.Blocks(content(), repo.reader(), cache_bytes=256 * 1024, ahead_bytes=128 * 1024) as blocks:
        for offset in range(0, SIZE - MIB, MIB // 2):
            assert blocks.read(offset, MIB) == whole[offset : offset + MIB]
            assert blocks._cached <= 256 * 1024
            assert sum(cached.length for cached in blocks._cache.values()) == blocks._cached


def test_damage_is_an_error_of_that_read_and_told(content: Callable[[], ranges.Content], tmp_path: Path) -> None:
    repo = making.make()
    made = export(repo, disk(), "a").export
    location = repo.location
    assert isinstance(location, memory.Memory)
    (pack,) = [info.name for info in location.list("data/")]
    good = location.get(pack)
    location.delete(pack)
    location.put(pack, [good[:50_000], bytes([good[50_000] ^ 1]), good[50_001:]])
    problems: list[errors.RunnerError] = []
    broken = ranges.of_export(repo.manifest(made), repo.reader())
    with (
        served_blocks.Blocks(broken, repo.reader()) as blocks,
        serving(blocks, problems) as at,
        client(at) as connection,
    ):
        failed = 0
        for offset in range(0, SIZE - MIB, MIB):
            try:
                read(connection, offset, MIB)
            except driver.StorageError as error:
                failed += "is damaged" in error.details
        assert failed == len(problems) == 1
        location.delete(pack)
        location.put(pack, [good])
        assert b"".join(read(connection, offset, MIB) for offset in range(0, 9 * MIB, MIB))
