"""Running the programs of QEMU, so that no crash leaves one behind, and their failures in the words of the contract."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from runner.base import errors
from runner.registry import driver

# The runner's own variables may hold passphrases, which are no business of another program.
_OWN_VARIABLES = "RUNNER_"
_PATIENCE_S = 10.0

# Ends the server with the thread that started it, whatever happens to the runner. The parent is compared after asking
# for that, so that a runner that died before leaves nothing either. The listening socket comes as standard input and
# goes on in the way of systemd's socket activation.
_SERVER = (
    "setpriv", "--pdeathsig", "KILL", "sh", "-c",
    '[ "$PPID" = "$1" ] || exit 1; shift; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 </dev/null', "sh",
)  # fmt: skip


def node(image: Path, **options: object) -> str:
    """Return how QEMU's programs are told of a qcow2 image: nothing about it is guessed from its content."""
    described = {"driver": "qcow2", **options, "file": {"driver": "file", "filename": os.fspath(image)}}
    return f"json:{json.dumps(described)}"


def qemu_img(*arguments: str, subject: Path, lock: int | None = None) -> str:
    """Run `qemu-img` to its end and return what it printed.

    Args:
        *arguments: Its command line.
        subject: The image that it works on.
        lock: A descriptor that it holds open: the lock stays until it has ended, even if the runner is killed.

    Raises:
        EnvironmentProblem: RT205 if it is missing, RT311 or RT312 for permissions and full disks.
        StorageUnavailable: If the image is in use.
        StorageError: If it fails otherwise.
    """
    with _found():
        done = subprocess.run(
            ["qemu-img", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=_environment(),
            pass_fds=() if lock is None else (lock,),
            check=False,
        )
    if done.returncode != 0:
        raise _failed(subject, done.stderr)
    return done.stdout


@contextlib.contextmanager
def serving(described: str, *options: str, subject: Path, connections: int) -> Iterator[list[socket.socket]]:
    """Let `qemu-nbd` serve an image on a socket that has no name, and connect to it.

    Args:
        described: The image, as `node` says it.
        *options: Further options of `qemu-nbd`.
        subject: The image that it works on.
        connections: How many connections to make; the server ends with the last of them.

    Raises:
        EnvironmentProblem: RT205 if a program is missing.
        StorageError: If the image cannot be served.
        StorageUnavailable: If it is in use.
    """
    listener, sockets = _connected(connections)
    with listener, _found():
        process = subprocess.Popen(
            [*_SERVER, str(os.getpid()), "qemu-nbd", "--shared=0", *options, described],
            stdin=listener.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(),
        )
    try:
        yield sockets
    except driver.StorageUnavailable as error:
        if _ended(process) not in (0, None):
            raise _failed(subject, process.stderr.read() if process.stderr else "") from error
        raise
    finally:
        for one in sockets:
            one.close()
        if _ended(process) is None:
            process.kill()
            process.wait()
        if process.stderr:
            process.stderr.close()


def _connected(count: int) -> tuple[socket.socket, list[socket.socket]]:
    listener = socket.socket(socket.AF_UNIX)
    with tempfile.TemporaryDirectory(prefix="blueprint-runner-") as place:
        listener.bind(f"{place}/nbd")
        listener.listen(count)
        sockets = [socket.socket(socket.AF_UNIX) for _ in range(count)]
        for one in sockets:
            one.connect(f"{place}/nbd")
    return listener, sockets


def _ended(process: subprocess.Popen[str]) -> int | None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_PATIENCE_S)
    return None


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
    return {**kept, "LC_ALL": "C"}


@contextlib.contextmanager
def _found() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise _missing(error.filename) from error


def _missing(program: str) -> errors.EnvironmentProblem:
    package = "util-linux" if program == _SERVER[0] else "qemu-utils"
    return errors.EnvironmentProblem(
        f'the program "{program}" is missing', code="RT205", hint=f"apt-get install --no-install-recommends {package}"
    )


def in_use(subject: Path, details: str = "") -> driver.StorageUnavailable:
    """Return what to say of an image that a guest has open."""
    return driver.StorageUnavailable(
        f"{subject} is in use by a running guest",
        details=details,
        hint="name its QMP socket as the volume (qmp:/run/guest.qmp?node=NAME), or shut it down",
    )


def _failed(subject: Path, said: str) -> errors.RunnerError:
    said = said.strip()
    if "qemu-nbd: not found" in said:
        return _missing("qemu-nbd")
    if " lock" in said and "Failed to get" in said:
        return in_use(subject, said)
    if "not in qcow2 format" in said:
        return driver.StorageError(
            f"{subject} is no qcow2 image", code="RT306", details=said, hint="snapshot raw images with the driver file"
        )
    if "No space left on device" in said:
        return errors.EnvironmentProblem(
            f"the disk of {subject} is full", code="RT312", details=said, hint="make room there"
        )
    if "Permission denied" in said or "Read-only file system" in said:
        return errors.EnvironmentProblem(
            f"{subject} cannot be used", code="RT311", details=said, hint="check the owner and the mode of the image"
        )
    return driver.StorageError(f"{subject} cannot be worked on", details=said)
