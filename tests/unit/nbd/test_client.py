"""The NBD client, against a server of the tests that behaves and misbehaves as told."""

from __future__ import annotations

import errno
import socket
import threading

import pytest

from runner.base import errors
from runner.nbd import client, wire
from runner.registry import driver
from runner.registry.driver import Extent
from runner.storage.qcow2 import reading
from tests.unit.nbd.scripted_server import Server

DATA = bytearray(b"data" * 1000 + bytes(4000) + b"more" * 1000)
ALLOCATION = "base:allocation"


def read(connection: client.Connection, offset: int, length: int) -> bytes:
    target = bytearray(b"\xff" * length)
    connection.read_into(offset, memoryview(target))
    return bytes(target)


@pytest.mark.parametrize("fragment", [1 << 30, 1000, 1])
def test_data_and_holes_fill_the_buffer_in_whatever_pieces_they_come(fragment: int) -> None:
    with Server(data=DATA, fragment=fragment).connected() as connection:
        assert connection.size_bytes == len(DATA)
        for offset, length in ((0, 12_000), (3_990, 20), (7_999, 2), (5_000, 100), (11_999, 1), (0, 0)):
            assert read(connection, offset, length) == DATA[offset : offset + length]


def test_reads_ask_for_an_answer_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", 5_000)
    server = Server(data=DATA)
    with server.connected() as connection:
        assert read(connection, 10, 11_000) == DATA[10:11_010]
    one_piece = wire.CommandFlag.DONT_FRAGMENT
    assert server.seen[:3] == [(0, one_piece, 10, 5000), (0, one_piece, 5010, 5000), (0, one_piece, 10_010, 1000)]


def test_writes_and_flushes_reach_the_server() -> None:
    server = Server(data=bytearray(10))
    with server.connected() as connection:
        connection.write(3, memoryview(b"hello"))
        connection.flush()
    assert server.data == b"\0\0\0hello\0\0"
    assert [kind for kind, *_ in server.seen] == [1, 3]


def test_closing_says_goodbye() -> None:
    server = Server(data=DATA)
    with server.connected() as connection:
        connection.close()
        connection.close()
    assert [kind for kind, *_ in server.seen] == [2]


@pytest.mark.parametrize("simple", [True, False])
def test_refused_request_is_an_error_after_which_the_connection_still_works(simple: bool) -> None:
    server = Server(data=DATA, failing={0: errno.EIO}, simple_errors=simple)
    with server.connected() as connection:
        with pytest.raises(driver.StorageError, match="Input/output error") as caught:
            read(connection, 0, 10)
        assert caught.value.details == ("" if simple else "alas!")
        server.failing.clear()
        assert read(connection, 0, 4) == b"data"


def test_full_disk_of_the_server_is_reported_as_such() -> None:
    with Server(data=DATA, failing={1: errno.ENOSPC}).connected() as connection:
        with pytest.raises(errors.EnvironmentProblem) as caught:
            connection.write(0, memoryview(b"x"))
        assert caught.value.code == "RT312"


def test_broken_connection_may_be_tried_again() -> None:
    with Server(data=DATA, silent_after=1).connected() as connection:
        assert read(connection, 0, 4) == b"data"
        with pytest.raises(driver.StorageUnavailable):
            read(connection, 0, 10)


def test_server_that_dies_during_the_handshake_is_a_broken_connection() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(driver.StorageUnavailable):
        client.Connection(ours, "disk")
    assert ours.fileno() == -1


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (Server(greeting=b"NBDMAGIC" + b"OLDSTYLE" + b"\0\0"), "newstyle"),
        (Server(greeting=b"NBDMAGIC" + b"IHAVEOPT" + b"\0\0"), "newstyle"),
        (Server(refused=[wire.Option.STRUCTURED_REPLY]), "structured replies"),
        (
            Server(refused=[wire.Option.GO], contexts={"base:allocation": [], "qemu:dirty-bitmap:b": []}),
            "no export disk",
        ),
        (Server(name="other"), "no export disk"),
        (Server(contexts={"base:allocation": []}), "no qemu:dirty-bitmap:b"),
    ],
    ids=["oldstyle", "not fixed", "no structured replies", "no go", "no export", "no context"],
)
def test_server_that_lacks_something_is_refused(server: Server, says: str) -> None:
    with server.client_end() as ours, pytest.raises(driver.StorageError, match=says):
        client.Connection(ours, "disk", ["base:allocation", "qemu:dirty-bitmap:b"])


@pytest.mark.parametrize(
    "server",
    [Server(data=DATA, wrong_cookie=1), Server(data=DATA, extra=1), Server(data=DATA, extra=1, fragment=12_000)],
    ids=["wrong cookie", "too much data", "too much at the end"],
)
def test_answer_to_something_else_is_refused(server: Server) -> None:
    with server.connected() as connection, pytest.raises(driver.StorageError, match=r"nobody asked|was not asked"):
        read(connection, 0, 12_000)


STATUS = [(4000, 0), (1000, 3), (3000, 2), (4000, 0)]


def pool_of(servers: list[socket.socket]) -> reading.Pool:
    return reading.Pool(servers, "disk", [ALLOCATION])


@pytest.mark.parametrize("most", [1, 2, 100])
def test_allocated_extents_are_joined_whatever_the_server_tells_at_once(most: int) -> None:
    with Server(data=DATA, contexts={ALLOCATION: STATUS}, most=most).client_end() as ours:
        reader = reading.Reader(pool_of([ours]), len(DATA), live=False)
        assert list(reader.allocated()) == [Extent(offset=0, length=4000), Extent(offset=8000, length=4000)]


def test_extents_end_with_the_volume_as_it_was() -> None:
    with Server(data=DATA, contexts={ALLOCATION: STATUS}).client_end() as ours:
        reader = reading.Reader(pool_of([ours]), 9000, live=False)
        assert reader.size_bytes == 9000
        assert list(reader.allocated()) == [Extent(offset=0, length=4000), Extent(offset=8000, length=1000)]


def test_snapshot_that_is_longer_than_the_volume_is_refused() -> None:
    with Server(data=DATA, contexts={ALLOCATION: STATUS}).client_end() as ours, pytest.raises(driver.StorageError):
        reading.Reader(pool_of([ours]), len(DATA) + 1, live=False)


def test_volume_in_use_is_asked_twice_what_is_allocated() -> None:
    """The first answer may call zero what the guest discards meanwhile; the second one then knows its copy."""

    class Racing(Server):
        def _answer(self, *args: object) -> None:
            super()._answer(*args)  # type: ignore[arg-type]
            self.contexts[ALLOCATION] = [(6000, 0), (6000, 2)]

    with Racing(data=DATA, contexts={ALLOCATION: [(4000, 0), (8000, 2)]}).client_end() as ours:
        reader = reading.Reader(pool_of([ours]), len(DATA), live=True)
        assert list(reader.allocated()) == [Extent(offset=0, length=6000)]


@pytest.mark.parametrize("status", [[], [(0, 0), (12_000, 0)]], ids=["nothing", "an empty stretch"])
def test_server_that_does_not_say_what_is_allocated_is_refused(status: list[tuple[int, int]]) -> None:
    class Literal(Server):
        def _answer(self, peer: socket.socket, kind: int, cookie: int, *_: object) -> None:
            body = b"".join(wire.DESCRIPTOR.pack(*one) for one in status)
            head = wire.REPLY_MAGIC.pack(wire.STRUCTURED_MAGIC)
            peer.sendall(head + wire.STRUCTURED_REST.pack(1, 5, cookie, 4 + len(body)) + bytes(4) + body)

    with Literal(data=DATA, contexts={ALLOCATION: STATUS}).client_end() as ours:
        reader = reading.Reader(pool_of([ours]), len(DATA), live=False)
        with pytest.raises(driver.StorageError, match="does not say what lies at byte 0"):
            list(reader.allocated())


def test_several_threads_share_the_connections_of_a_reader() -> None:
    one, two = (Server(data=DATA, contexts={ALLOCATION: STATUS}) for _ in range(2))
    wrong: list[int] = []
    with one.client_end() as first, two.client_end() as second:
        reader = reading.Reader(pool_of([first, second]), len(DATA), live=False)

        def work(start: int) -> None:
            for offset in range(start, 11_000, 97):
                target = bytearray(500)
                reader.read_into(offset, memoryview(target))
                if target != DATA[offset : offset + 500]:
                    wrong.append(offset)

        threads = [threading.Thread(target=work, args=(start,)) for start in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert one.seen
    assert two.seen
