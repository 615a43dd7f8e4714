"""Ceph from packages: a cluster of one monitor, manager and OSD that forgets all, and an object gateway before it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.servers import processes, s3

INSTALL = "apt-get install --no-install-recommends ceph-mon ceph-mgr ceph-osd ceph-common radosgw"
_PROGRAMS = ("ceph-mon", "ceph-mgr", "ceph-osd", "ceph", "radosgw", "radosgw-admin")
_KEYS = {"admin": s3.Keys("ADMIN", "admin-secret"), "reader": s3.Keys("READER", "reader-secret")}
# The monitor collects changes for a second before it tells of them; each of a dozen pools would wait for that.
_CONFIG = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{port}]
mon initial members = a
public network = 127.0.0.0/8
keyring = {directory}/keyring
run dir = {directory}
admin socket =
log file =
mon cluster log file =
log to stderr = true
err to stderr = true
mon data = {directory}/mon
mgr data = {directory}/mgr
osd data = {directory}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon data avail crit = 1
paxos propose interval = 0.05
paxos min wait = 0.02
"""
_KEYRING = """\
[mon.]
key = {key}
caps mon = "allow *"
[client.admin]
key = {key}
caps mon = "allow *"
caps mgr = "allow *"
caps osd = "allow *"
caps mds = "allow *"
[mgr.a]
key = {key}
caps mon = "allow profile mgr"
caps osd = "allow *"
caps mds = "allow *"
[osd.0]
key = {key}
caps mon = "allow profile osd"
caps mgr = "allow profile osd"
caps osd = "allow *"
"""


def is_installed() -> bool:
    """Tell whether all programs are there."""
    return all(map(shutil.which, _PROGRAMS))


class Cluster:
    """A running cluster, its data in memory.

    Attributes:
        config: The file with which every program and library of Ceph finds it as its administrator.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.config = directory / "ceph.conf"

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of Ceph, and return what it prints."""
        command = [program, "-c", str(self.config), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{program}: {done.stderr}"
        return done.stdout

    def daemon(
        self, program: str, *arguments: str, is_ready: Callable[[], bool]
    ) -> contextlib.AbstractContextManager[object]:
        """Keep one of its servers running within the context."""
        command = [program, "-c", str(self.config), "-f", *arguments]
        return processes.running(command, self._directory / f"{program}.log", is_ready)


@contextlib.contextmanager
def started(directory: Path) -> Iterator[Cluster]:
    """Run a cluster without pools."""
    cluster, fsid, osd = Cluster(directory), str(uuid.uuid4()), str(uuid.uuid4())
    (port,) = processes.free_ports(1)
    cluster.config.write_text(_CONFIG.format(fsid=fsid, port=port, directory=directory))
    key = cluster.run("ceph-authtool", "--gen-print-key").strip()
    (directory / "keyring").write_text(_KEYRING.format(key=key))
    for name in ("mon", "mgr", "osd"):
        (directory / name).mkdir()
    members = str(directory / "monmap")
    cluster.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{port}]", members)
    cluster.run("ceph-mon", "-i", "a", "--mkfs", "--monmap", members, "--keyring", str(directory / "keyring"))
    with contextlib.ExitStack() as stack:
        start = stack.enter_context
        start(cluster.daemon("ceph-mon", "-i", "a", is_ready=lambda: processes.listens(port)))
        start(cluster.daemon("ceph-mgr", "-i", "a", is_ready=lambda: True))  # nothing waits for it
        cluster.run("ceph", "osd", "new", osd)
        cluster.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        start(cluster.daemon("ceph-osd", "-i", "0", is_ready=lambda: _is_up(cluster)))
        yield cluster


@contextlib.contextmanager
def gateway(cluster: Cluster, directory: Path) -> Iterator[s3.S3Server]:
    """Run an object gateway whose bucket has an administrator, and somebody who may only read."""
    (port,) = processes.free_ports(1)
    server = s3.S3Server(f"http://127.0.0.1:{port}", directory, _KEYS)
    front = f"--rgw-frontends=beast endpoint=127.0.0.1:{port} tcp_nodelay=1"
    with cluster.daemon("radosgw", "-n", "client.admin", front, is_ready=lambda: processes.listens(port)):
        for name, keys in _KEYS.items():
            user = [f"--uid={name}", f"--display-name={name}", f"--access-key={keys.access}", f"--secret={keys.secret}"]
            cluster.run("radosgw-admin", "user", "create", *user)
        client = server.client()
        client.create_bucket(Bucket=server.bucket)
        client.put_bucket_policy(Bucket=server.bucket, Policy=json.dumps(_reading(server.bucket)))
        yield server


def _is_up(cluster: Cluster) -> bool:
    return bool(json.loads(cluster.run("ceph", "osd", "stat", "-f", "json"))["num_up_osds"])


def _reading(bucket: str) -> object:
    place = f"arn:aws:s3:::{bucket}"
    allowed = {
        "Effect": "Allow",
        "Principal": {"AWS": ["arn:aws:iam:::user/reader"]},
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [place, f"{place}/*"],
    }
    return {"Version": "2012-10-17", "Statement": [allowed]}
