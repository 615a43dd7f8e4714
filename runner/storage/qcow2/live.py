"""Snapshots of images that a guest has open: held by the guest itself, by copying before it overwrites.

In one transaction the guest starts to record what is written (a persistent dirty bitmap) and to copy old content into a
scratch image before it writes. The scratch image over the volume is the volume of that moment; it is read over NBD. It
ends with the guest, the bitmap does not.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import ids, polling, suggest
from runner.nbd import wire
from runner.registry import driver
from runner.storage.qcow2 import access, programs, qmp, reading, shelf

SCHEME = "qmp:"
FORM = "qmp:/run/guest.qmp?node=NAME"
_INTERVAL = timedelta(milliseconds=20)
_LONGEST = timedelta(minutes=1)


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """A disk of a running guest, as a blueprint names it.

    Attributes:
        socket: The guest's QMP socket.
        node: Name of the block node.
        nbd: The socket of its NBD server.
        own_server: Whether that server is started, and stopped, by this driver.
    """

    socket: Path
    node: str
    nbd: Path
    own_server: bool


def named_by(volume: str) -> Guest | None:
    """Return what a text of the form `qmp:SOCKET?node=NAME&nbd=SOCKET` names; None if it is of another form.

    Raises:
        VolumeMissing: If it is incomplete.
    """
    if not volume.startswith(SCHEME):
        return None
    path, _, query = volume.removeprefix(SCHEME).partition("?")
    given = dict(urllib.parse.parse_qsl(query))
    node, nbd = given.pop("node", ""), given.pop("nbd", "")
    if given or not node or not path.startswith("/"):
        raise driver.VolumeMissing(
            f'"{volume}" names no disk of a guest', hint=f"the form is {FORM}, with &nbd=SOCKET if it has an NBD server"
        )
    own = Path(f"{path}.nbd")
    return Guest(socket=Path(path), node=node, nbd=Path(nbd) if nbd else own, own_server=not nbd)


class Live:
    """Works on the image of a guest through its QMP socket.

    Args:
        guest: The guest and its disk.
        session: A conversation with it.
        clock: Passes while something ends.
    """

    method = "copy before write"
    live = True

    def __init__(self, guest: Guest, session: qmp.Session, clock: clocks.Clock) -> None:
        self._guest = guest
        self._session = session
        self._clock = clock

    @property
    def image(self) -> Path:
        """The path of the image.

        Raises:
            VolumeMissing: If the guest has no such disk.
            StorageError: If the disk is no qcow2 image of this machine.
        """
        node = self._node()
        name = node["image"]["filename"]
        if name.startswith("json:"):
            name = json.loads(name.removeprefix("json:"))["file"].get("filename", "")
        if node["drv"] != "qcow2" or not name.startswith("/"):
            raise driver.StorageError(
                f"{self._guest.node} of the guest is no qcow2 image with an absolute path but {node['drv']} {name}",
                code="RT306",
            )
        return Path(name).resolve()

    def look(self) -> access.Contents:
        """Say what is in the image and in the guest."""
        node = self._node()
        snapshots = frozenset(one["name"] for one in node["image"].get("snapshots", ()))
        bitmaps = {one["name"]: _wrong(one) for one in node.get("dirty-bitmaps", ()) if "name" in one}
        nodes, jobs, exports = self._nodes(), self._jobs(), self._exports()
        names = snapshots | bitmaps.keys() | nodes.keys() | jobs | exports
        return access.Contents(
            size_bytes=node["image"]["virtual-size"],
            snapshots=snapshots,
            bitmaps=bitmaps,
            tracks=True,
            ours=frozenset(filter(None, map(shelf.owner_of, names))),
            held=frozenset(jobs & nodes.keys() & exports),
        )

    def recorded(self, bitmap: str) -> int:
        """Ask the guest, which counts whole pieces, also of zeros."""
        return sum(one["count"] for one in self._node()["dirty-bitmaps"] if one.get("name") == bitmap)

    def take(self, name: str, scratch: Path) -> None:
        """Hold the moment."""
        size = self._node()["image"]["virtual-size"]
        programs.qemu_img("create", "-q", "-f", "qcow2", os.fspath(scratch), str(size), subject=scratch)
        self._give_to_the_guest(scratch)
        held = {"driver": "qcow2", "file": {"driver": "file", "filename": os.fspath(scratch)}}
        self._session.run("blockdev-add", node_name=name, backing=self._guest.node, **held)
        bitmap = {"node": self._guest.node, "name": name, "persistent": True, "granularity": access.GRAIN}
        backup = {"job-id": name, "device": self._guest.node, "target": name, "sync": "none"}
        actions = [{"type": "block-dirty-bitmap-add", "data": bitmap}, {"type": "blockdev-backup", "data": backup}]
        self._session.run("transaction", actions=actions)
        self.export(name, name)

    def drop(self, name: str) -> None:
        """Remove a snapshot, wherever it is held, and its bitmap."""
        self.drop_blocks(name)
        contents = self.look()
        if name in contents.snapshots:
            if contents.held:
                raise driver.SnapshotInUse(
                    f"{name} cannot be deleted within the image while the guest holds another snapshot",
                    hint="give up the later snapshot first (DeleteSnapshot with keepBase)",
                )
            self._session.run("blockdev-snapshot-delete-internal-sync", device=self._guest.node, name=name)
        if name in contents.bitmaps:
            self._session.run("block-dirty-bitmap-remove", node=self._guest.node, name=name)

    def drop_blocks(self, name: str) -> None:
        """Copy no more before the guest writes."""
        for one in sorted(self._exports()):
            if shelf.owner_of(one) == name:
                self.withdraw(one)
        if name in self._jobs():
            self._session.run("block-job-cancel", device=name)
            self._until(lambda: name not in self._jobs(), "the copying to end")
        if name in self._nodes():
            self._session.run("blockdev-del", node_name=name)
        self._stop_server()

    def export(self, id: str, node: str, bitmaps: tuple[str, ...] = ()) -> None:
        """Let the guest serve a node, read-only, and start its NBD server if it has none."""

        def add() -> None:
            self._session.run("block-export-add", type="nbd", id=id, node_name=node, name=id, bitmaps=list(bitmaps))

        try:
            add()
        except qmp.Refused as error:
            if "NBD server not running" not in error.details:
                raise
            address = {"type": "unix", "data": {"path": os.fspath(self._guest.nbd)}}
            self._guest.nbd.unlink(missing_ok=True)  # of a guest before this one
            self._session.run("nbd-server-start", addr=address, max_connections=0)
            add()

    def withdraw(self, id: str) -> None:
        """Serve something no more, and remove the bitmap that was made for it."""
        self._session.run("block-export-del", id=id, mode="hard")
        self._until(lambda: id not in self._exports(), "the export to end")
        if id != shelf.owner_of(id):
            with contextlib.suppress(qmp.Refused):  # it was not made yet
                self._session.run("block-dirty-bitmap-remove", node=self._guest.node, name=id)

    def freeze(self, bitmap: str, name: str) -> None:
        """Copy what a bitmap has recorded so far into a new one that records nothing."""
        at = {"node": self._guest.node}
        made = {**at, "name": name, "disabled": True, "granularity": access.GRAIN}
        actions = [
            {"type": "block-dirty-bitmap-add", "data": made},
            {"type": "block-dirty-bitmap-merge", "data": {**at, "target": name, "bitmaps": [bitmap]}},
        ]
        self._session.run("transaction", actions=actions)

    def _give_to_the_guest(self, scratch: Path) -> None:
        """Let the guest, which may be another user, use what was made for it."""
        facts = self.image.stat()
        for path, mode in ((scratch.parent, 0o700), (scratch, 0o600)):
            with contextlib.suppress(PermissionError):
                os.chown(path, facts.st_uid, facts.st_gid)
            path.chmod(mode)

    def _node(self) -> dict[str, Any]:
        nodes = self._nodes()
        if self._guest.node not in nodes:
            known = [name for name in nodes if not name.startswith("#") and not shelf.owner_of(name)]
            raise driver.VolumeMissing(
                f'the guest at {self._guest.socket} has no node "{self._guest.node}"',
                hint=suggest.hint(self._guest.node, known),
            )
        return nodes[self._guest.node]

    def _nodes(self) -> dict[str, dict[str, Any]]:
        return {one["node-name"]: one for one in self._session.run("query-named-block-nodes", flat=True)}

    def _jobs(self) -> set[str]:
        return {one["device"] for one in self._session.run("query-block-jobs")}

    def _exports(self) -> set[str]:
        return {one["id"] for one in self._session.run("query-block-exports")}

    def _stop_server(self) -> None:
        if self._guest.own_server and self._guest.nbd.exists() and not self._exports():
            self._session.run("nbd-server-stop")

    def _until(self, condition: Callable[[], bool], describe: str) -> None:
        polling.poll(
            lambda: condition() or None,
            interval=_INTERVAL,
            timeout=_LONGEST,
            describe=describe,
            clock=self._clock,
            cancel=cancels.CancelToken(self._clock),
        )


def _wrong(bitmap: dict[str, Any]) -> str:
    if bitmap.get("inconsistent"):
        return "was left behind by a guest that ended without writing it back"
    return "" if bitmap["recording"] else "does not record changes"


@contextlib.contextmanager
def attached(guest: Guest, clock: clocks.Clock) -> Iterator[Live]:
    """Talk to a guest.

    Raises:
        VolumeMissing: If there is none.
        StorageUnavailable: If it does not answer.
    """
    if not guest.socket.exists():
        raise driver.VolumeMissing(f"there is no guest at {guest.socket}", hint="see whether it runs")
    with qmp.Session(guest.socket, clock) as session:
        yield Live(guest, session, clock)


@contextlib.contextmanager
def opened(guest: Guest, record: shelf.Record) -> Iterator[reading.Reader]:
    """Open a snapshot that a guest holds."""
    with _connected(guest, record.name, (reading.ALLOCATION,)) as pool:
        yield reading.Reader(pool, record.snapshot.size_bytes, live=True)


@contextlib.contextmanager
def dirty(
    guest: Guest, base: str, snapshot: str, clock: clocks.Clock, random: ids.RandomBytes
) -> Iterator[Iterator[driver.Extent]]:
    """Open what a bitmap has recorded; what a killed runner leaves of this goes with the newer snapshot."""
    name = f"{snapshot}.{ids.base32(random(5), 8)}"
    context = f"qemu:dirty-bitmap:{name}"
    with attached(guest, clock) as inside:
        inside.freeze(base, name)
        inside.export(name, snapshot, (name,))
    try:
        with _connected(guest, name, (context,)) as pool:
            yield pool.flagged(context, having=wire.DIRTY)
    finally:
        with attached(guest, clock) as inside:
            inside.withdraw(name)


@contextlib.contextmanager
def _connected(guest: Guest, export: str, contexts: tuple[str, ...]) -> Iterator[reading.Pool]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(reading.CONNECTIONS)]
        try:
            for one in sockets:
                one.connect(os.fspath(guest.nbd))
        except OSError as error:
            raise driver.StorageUnavailable(
                f"nobody serves {export} at {guest.nbd}",
                details=str(error),
                hint=f"if the guest has an NBD server already, name its socket: {FORM}&nbd=SOCKET",
            ) from error
        pool = reading.Pool(sockets, export, contexts)
        stack.callback(pool.close)
        yield pool
