"""Network shares mounted on this machine: SMB by Samba, NFS by Ganesha; as root, by the kernel or in user space."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import processes

INSTALL_SMB = "apt-get install samba smbnetfs"
INSTALL_NFS = "apt-get install nfs-ganesha nfs-ganesha-vfs nfs-common"
_SMB_PORT = 445  # the client in user space knows no other
_PASSWORD = "password-of-the-tests"
_SAMBA = """\
[global]
 workgroup = TESTS
 security = user
 smb ports = {port}
 interfaces = {address}/8
 bind interfaces only = yes
 private dir = {state}
 lock directory = {state}
 state directory = {state}
 cache directory = {state}
 pid directory = {state}
 ncalrpc dir = {state}/ncalrpc
 log file = {state}/log
 passdb backend = smbpasswd:{state}/smbpasswd
 disable spoolss = yes
 load printers = no
 strict sync = yes
[share]
 path = {share}
 read only = no
"""
_GANESHA = """\
NFS_CORE_PARAM {{ NFS_Port = {port}; Protocols = 4; Bind_addr = 127.0.0.1; Enable_NLM = false; Enable_RQUOTA = false; }}
NFSV4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = {state}; }}
EXPORT {{ Export_Id = 1; Path = {share}; Pseudo = /share; Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
  Protocols = 4; Transports = TCP; FSAL {{ Name = VFS; }} }}
LOG {{ Default_Log_Level = WARN; }}
"""


@contextlib.contextmanager
def smb(directory: Path) -> Iterator[Path]:
    """Give a directory that is an SMB share, served by Samba."""
    _needs_root()
    _needs("smbd", INSTALL_SMB)
    # An address for each process that runs tests, since the port is the same for all.
    address = f"127.77.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}"
    share, state, place = (_made(directory / name) for name in ("share", "state", "mounted"))
    config = directory / "smb.conf"
    config.write_text(_SAMBA.format(address=address, port=_SMB_PORT, share=share, state=state))
    typed = f"{_PASSWORD}\n{_PASSWORD}\n"
    subprocess.run(
        ["smbpasswd", "-c", config, "-s", "-a", "root"], input=typed, text=True, check=True, capture_output=True
    )
    command = ["smbd", "-s", str(config), "-F", "--no-process-group", "--debug-stdout"]
    with processes.running(command, directory / "smbd.log", lambda: processes.listens(_SMB_PORT, address)):
        options = f"username=root,password={_PASSWORD},port={_SMB_PORT}"
        if "cifs" in _file_systems() and _mount("-t", "cifs", f"//{address}/share", str(place), "-o", options) is None:
            with _unmounted_later(place):
                yield place
            return
        _needs("smbnetfs", INSTALL_SMB)
        home = _made(directory / "home" / ".smb")
        shutil.copy(config, home / "smb.conf")
        for name, text in _smbnetfs(address).items():
            (home / name).write_text(text)
            (home / name).chmod(0o600)
        done = _run(["smbnetfs", str(place)], env={**os.environ, "HOME": str(home.parent)})
        if done.returncode != 0:
            pytest.skip(f"an SMB share cannot be mounted here: {done.stderr.strip()}")
        with _unmounted_later(place):
            yield place / address / "share"


@dataclass(frozen=True, slots=True)
class NfsShare:
    """A directory that is an NFS share, and the server of it."""

    path: Path
    server: subprocess.Popen[bytes]


@contextlib.contextmanager
def nfs(directory: Path, options: str = "hard") -> Iterator[NfsShare]:
    """Mount an NFS share, served by Ganesha."""
    _needs_root()
    _needs("ganesha.nfsd", INSTALL_NFS)
    _needs("mount.nfs4", INSTALL_NFS)
    if not {"nfs", "nfs4"} & _file_systems() and shutil.which("modprobe") is not None:
        _run(["modprobe", "nfsv4"])
    if not {"nfs", "nfs4"} & _file_systems():
        pytest.skip("the kernel of this machine has no NFS client: test_shares_in_a_guest.py runs these tests")
    share, state, place = (_made(directory / name) for name in ("share", "state", "mounted"))
    (port,) = processes.free_ports(1)
    config = directory / "ganesha.conf"
    config.write_text(_GANESHA.format(port=port, share=share, state=state))
    command = ["ganesha.nfsd", "-F", "-f", str(config), "-L", str(directory / "log"), "-p", str(directory / "pid")]
    with processes.running(command, directory / "out", lambda: processes.listens(port)) as server:
        problem = _mount("-t", "nfs4", "127.0.0.1:/share", str(place), "-o", f"port={port},{options}")
        if problem is not None:
            pytest.skip(f"an NFS share cannot be mounted here: {problem}")
        with _unmounted_later(place):
            yield NfsShare(place, server)
            gc.collect()  # closes what locations have open, which a client can only do while its server lives


def _smbnetfs(address: str) -> Mapping[str, str]:
    return {
        "smbnetfs.auth": f'auth "{address}" "root" "{_PASSWORD}"\n',
        "smbnetfs.host": f"host {address} visible=true\n",
        "smbnetfs.conf": 'include "smbnetfs.auth"\ninclude "smbnetfs.host"\n',
    }


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def _needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a share needs root")


def _needs(program: str, install: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing: {install}")


def _file_systems() -> set[str]:
    return {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}


def _run(command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)


def _mount(*arguments: str) -> str | None:
    done = _run(["mount", *arguments])
    return None if done.returncode == 0 else done.stderr.strip()


@contextlib.contextmanager
def _unmounted_later(place: Path) -> Iterator[None]:
    try:
        yield
    finally:
        _run(["umount", "--lazy", str(place)])
