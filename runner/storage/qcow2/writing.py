"""Writing a new image through a server of its own; it gets its name when it is complete and closed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from runner.base import errors
from runner.registry import driver
from runner.storage import new_file
from runner.storage.qcow2 import at_rest, programs, reading

_SECTOR = 512


class Writer:
    """Writes a new image.

    Args:
        pool: Connections to the image.
        server: Ends the server.
        new: The place of the image.
        size_bytes: Size of the volume.
        overwrite: Whether an image of its name is replaced.
    """

    def __init__(
        self,
        pool: reading.Pool,
        server: contextlib.ExitStack,
        new: new_file.NewFile,
        size_bytes: int,
        *,
        overwrite: bool,
    ) -> None:
        self._pool = pool
        self._server = server
        self._new = new
        self._size = size_bytes
        self._overwrite = overwrite

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write within the volume."""
        view = memoryview(data).cast("B")
        if offset < 0 or offset + len(view) > self._size:
            raise ValueError("a write reaches over the end of the volume")
        with self._pool.borrowed() as connection:
            connection.write(offset, view)

    def commit(self) -> None:
        """Let the server close the image, make it durable and give it its name."""
        with self._pool.borrowed() as connection:
            connection.flush()
        self._server.close()
        if self._overwrite:
            _refuse(self._new.target)
        self._new.commit()


@contextlib.contextmanager
def created(target: Path, size_bytes: int, now: datetime, *, overwrite: bool, token: str) -> Iterator[Writer]:
    """Start a new image beside its final name; its size is rounded up to whole sectors.

    Raises:
        EnvironmentProblem: RT310 if there is something already that may not be replaced.
        StorageUnavailable: If a guest has the image open that is to be replaced.
    """
    size = -(-size_bytes // _SECTOR) * _SECTOR
    with new_file.started(target, now, overwrite=overwrite, token=token) as new, contextlib.ExitStack() as server:
        if overwrite:
            _refuse(target)
        programs.qemu_img("create", "-q", "-f", "qcow2", str(new.path), str(size), subject=target)
        new.path.chmod(0o600)
        options = ("--discard=unmap",)
        sockets = server.enter_context(
            programs.serving(programs.node(new.path), *options, subject=target, connections=reading.CONNECTIONS)
        )
        pool = reading.Pool(sockets, "")
        server.callback(pool.close)
        yield Writer(pool, server, new, size, overwrite=overwrite)


def _refuse(target: Path) -> None:
    """See that an image may be replaced: it is one of ours to handle, and nobody has it open."""
    if not target.exists():
        return
    try:
        at_rest.look(target, shared=False)
    except driver.StorageUnavailable:
        raise
    except driver.StorageError as error:
        raise errors.EnvironmentProblem(
            f"{target} exists and is no qcow2 image, so it is not replaced",
            code="RT310",
            details=error.details,
            hint="choose another target",
        ) from error
