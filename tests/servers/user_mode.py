"""A Linux kernel as a program (User Mode Linux), for what the kernel of this machine has not got."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL = "apt-get install user-mode-linux kmod iproute2"
_PROGRAMS = ("linux.uml", "modprobe", "ip")
# Its files are those of this machine. An address beside those of the loopback makes resolvers answer.
_INIT = """\
#!/bin/sh
export PATH={path} HOME={home}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs {memory}
ip link set lo up
ip address add 192.0.2.1/32 dev lo
mkdir -p /run/lib/modules
ln -s /usr/lib/uml/modules/* /run/lib/modules/
modprobe -d /run -a {modules}
cd {cwd}
{command} >{directory}/output 2>&1 </dev/null
echo $? >{directory}/code
sync
echo o >/proc/sysrq-trigger
sleep 60
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command has left: its exit code, and all that it has printed."""

    code: int
    output: str


def memory(directory: Path) -> Path:
    """Return the place below the directory of a guest that is in its memory: a file system of its own."""
    return directory / "memory"


def run(command: Sequence[str], directory: Path, modules: Sequence[str], patience_s: float) -> Done:
    """Run a command as root of a guest with the files of this machine, in this working directory.

    Args:
        command: What to run.
        directory: An empty directory for what belongs to the guest.
        modules: The modules that its kernel needs.
        patience_s: When the guest is given up.
    """
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
    missing = [name for name in _PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is missing: {INSTALL}")
    memory(directory).mkdir()
    words = {
        "path": path,
        "home": os.environ.get("HOME", "/"),
        "memory": str(memory(directory)),
        "cwd": os.getcwd(),
        "directory": str(directory),
    }
    quoted = {name: shlex.quote(word) for name, word in words.items()}
    init = directory / "init"
    init.write_text(_INIT.format(**quoted, modules=shlex.join(modules), command=shlex.join(command)))
    init.chmod(0o700)
    said = _boot(init, patience_s)
    code = directory / "code"
    if "as init process" not in said:
        pytest.skip(f"User Mode Linux does not start here: {said[-500:]}")
    output = (directory / "output").read_text(errors="replace") if (directory / "output").exists() else ""
    assert code.exists(), f"the guest ended too early:\n{output[-5000:]}\n{said[-2000:]}"
    return Done(int(code.read_text()), output)


def _boot(init: Path, patience_s: float) -> str:
    """Start the kernel and wait until it has ended; return what it has printed."""
    root = ("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", f"init={init}")
    with tempfile.TemporaryDirectory(prefix="runner-uml-") as place:  # the path of a socket must be short
        kernel = ["linux.uml", "mem=768M", f"uml_dir={place}", "con=null", "con0=null,fd:1", *root]
        process = subprocess.Popen(
            kernel, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            said, _ = process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
    return said.decode(errors="replace")
