"""Serve what a restore point holds as read-only network block devices of this machine."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec

from runner.app import browsing, served_blocks
from runner.base import errors
from runner.model.restore_point import RestorePoint
from runner.nbd import server as servers
from runner.repository import failures, tree_entries
from runner.repository import repository as repositories

_LOOPBACK = "127.0.0.1"
_LONGEST_SOCKET = 107


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One export that is served."""

    name: str
    type: str
    size_bytes: int
    uri: str


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is ready.

    Attributes:
        place: The socket, or host and port.
        devices: What it serves.
        run: Serves until an exception ends it.
    """

    place: str
    devices: tuple[Device, ...]
    run: Callable[[], None]


@contextlib.contextmanager
def serving(
    repository: repositories.Repository,
    point: RestorePoint,
    path: str,
    *,
    socket_path: Path | None,
    port: int | None,
    on_problem: Callable[[errors.RunnerError], None],
) -> Iterator[Serving]:
    """Get a server ready; its socket is gone when the context ends.

    Args:
        repository: Where the restore point is.
        point: The restore point.
        path: What is served: an export, or a file in a tree; empty for all volumes and streams.
        socket_path: The Unix socket; None for one in a directory of its own that only this user can enter.
        port: A port of the loopback interface instead of a socket; 0 for any that is free.
        on_problem: Told what could not be read; called from any thread.

    Raises:
        PathMissing: If there is nothing that can be served.
        EnvironmentProblem: RT310 or RT311 if the socket or the port cannot be used.
    """
    spots = _spots(repository, point, path)
    with contextlib.ExitStack() as stack:
        chunks = repository.reader()
        contents = {str(spot): browsing.content(spot, chunks) for spot in spots}
        blocks = {
            name: stack.enter_context(served_blocks.Blocks(content, chunks)) for name, content in contents.items()
        }
        listening, place, form = stack.enter_context(_listening(point, socket_path, port))
        devices = tuple(
            Device(
                name=str(spot),
                type=spot.export.kind if not spot.path else "file",
                size_bytes=blocks[str(spot)].size_bytes,
                uri=form(str(spot)),
            )
            for spot in spots
        )
        volumes = [device.name for device in devices if device.type == "volume"] or [device.name for device in devices]
        default = {"": blocks[volumes[0]]} if len(volumes) == 1 else {}
        server = servers.Server(listening, blocks | default, on_problem)
        stack.callback(server.close)
        yield Serving(place=place, devices=devices, run=server.run)


def _spots(repository: repositories.Repository, point: RestorePoint, path: str) -> list[browsing.Spot]:
    if path:
        return [browsing.locate(repository, point, path)]
    found = [
        browsing.locate(repository, point, export.name) for export in point.exports if export.kind != tree_entries.KIND
    ]
    if not found:
        raise failures.PathMissing(
            "the restore point has no volume and no stream",
            hint="name a file in a tree, such as the image of a disk; "
            f"see what there is with `runner repository ls -R {point.id[:8]}`",
        )
    return found


@contextlib.contextmanager
def _listening(
    point: RestorePoint, socket_path: Path | None, port: int | None
) -> Iterator[tuple[socket.socket, str, Callable[[str], str]]]:
    """Yield a listening socket, its place, and what makes the URI of an export of its name."""
    if port is not None:
        with _bound_to_port(port) as listening:
            place = "{}:{}".format(*listening.getsockname())
            yield listening, place, lambda name: f"nbd://{place}/{quote(name)}"
        return
    with contextlib.ExitStack() as stack:
        if socket_path is None:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="runner-nbd-"))
            socket_path = Path(directory) / f"{point.id[:8]}.sock"
        path = socket_path.absolute()
        listening = stack.enter_context(_bound_to_path(path))
        stack.callback(path.unlink, missing_ok=True)
        yield listening, str(path), lambda name: f"nbd+unix:///{quote(name)}?socket={quote(str(path))}"


@contextlib.contextmanager
def _bound_to_port(port: int) -> Iterator[socket.socket]:
    try:
        listening = socket.create_server((_LOOPBACK, port))
    except (OSError, OverflowError) as error:
        raise errors.EnvironmentProblem(
            f"port {port} cannot be used: {getattr(error, 'strerror', None) or error}",
            code="RT311",
            hint="choose another port, or 0 for any that is free",
        ) from error
    with listening:
        yield listening


@contextlib.contextmanager
def _bound_to_path(path: Path) -> Iterator[socket.socket]:
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        raise errors.EnvironmentProblem(
            f"the path of the socket is longer than {_LONGEST_SOCKET} bytes", code="RT311", hint="choose a shorter one"
        )
    if os.path.lexists(path):
        raise errors.EnvironmentProblem(
            f"{path} exists already", code="RT310", hint="remove it if nobody serves there, or choose another path"
        )
    with socket.socket(socket.AF_UNIX) as listening:
        before = os.umask(0o177)
        try:
            listening.bind(os.fspath(path))
        except OSError as error:
            raise errors.EnvironmentProblem(
                f"there can be no socket at {path}: {error.strerror}", code="RT311", hint="choose another path"
            ) from error
        finally:
            os.umask(before)
        listening.listen()
        yield listening
