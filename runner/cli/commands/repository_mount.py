"""`runner repository mount`: serve a restore point as read-only block devices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from runner.app import mounting
from runner.base import codes, errors, quantities
from runner.base.jsonvalue import JsonObject
from runner.cli import application, commanding, options, working
from runner.cli import console as consoles


@click.command("mount", cls=commanding.Command)
@click.argument("point")
@click.argument("path", required=False, default="", metavar="[EXPORT]")
@click.option(
    "--socket",
    "socket_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Path of the Unix socket. [default: in a new directory that only you can enter]",
)
@click.option("--port", type=click.IntRange(0, 65535), help="A port of 127.0.0.1 instead of a socket; 0 for any.")
@options.location
@options.passphrase_file
@click.pass_obj
def mount(
    console: consoles.Console,
    point: str,
    path: str,
    socket_path: Path | None,
    port: int | None,
    location: str | None,
    passphrase_file: Path | None,
) -> int:
    """Serve volumes and streams of a restore point read-only over NBD, until Ctrl-C.

    Only what is asked for is read. Without EXPORT, all volumes and streams are served under their names; EXPORT may
    also be a file in a tree, such as the image of a disk. A Unix socket is for you alone; a port can be used by
    everybody on this machine.
    """
    if socket_path is not None and port is not None:
        raise errors.UsageError("--socket and --port exclude each other", hint="give one of them")
    app = application.of(console, passphrase_file=passphrase_file)
    repository = app.open_repository(app.target(location))
    found = repository.point(point)

    def tell(problem: errors.RunnerError) -> None:
        console.warn(f"a read failed: {problem.message}")

    with (
        working.terminable(),
        mounting.serving(repository, found, path, socket_path=socket_path, port=port, on_problem=tell) as served,
        contextlib.suppress(KeyboardInterrupt),
    ):
        value: JsonObject = {
            "restorePoint": found.id,
            "place": served.place,
            "exports": [
                {"path": device.name, "type": device.type, "size": device.size_bytes, "uri": device.uri}
                for device in served.devices
            ],
        }
        console.result(value, lambda: _lines(console, found.id, served, is_port=port is not None))
        served.run()
    return codes.Exit.OK


def _lines(console: consoles.Console, point: str, served: mounting.Serving, *, is_port: bool) -> Iterator[str]:
    yield console.style(f"Restore point {point[:8]} is served read-only at {served.place} until Ctrl-C", bold=True)
    yield from consoles.table(
        ["EXPORT", "KIND", "SIZE", "URI"],
        [
            (device.name, device.type, quantities.bytes_for_people(device.size_bytes), device.uri)
            for device in served.devices
        ],
        right=frozenset({2}),
    )
    volumes = [device for device in served.devices if device.type == "volume"]
    device = (volumes or served.devices)[0]
    host, _, port = served.place.rpartition(":")
    client = f"{host} {port}" if is_port else f"-unix {served.place}"
    file = f"{device.name.rpartition('/')[2].removesuffix('.img')}.img"
    yield ""
    yield f"copy it:     qemu-img convert -O raw '{device.uri}' {file}"
    yield f"see it:      nbdfuse -r DIRECTORY/{file} '{device.uri}'"
    yield f"mount it:    nbd-client {client} /dev/nbd0 -N {device.name} -R && mount -o ro,noload /dev/nbd0 /mnt"
    yield f"       or:   qemu-nbd -r -f raw -c /dev/nbd0 '{device.uri}' && mount -o ro,noload /dev/nbd0 /mnt"
