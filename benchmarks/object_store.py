"""Export to S3 and back against restic, in one run, on a real server; exits non-zero when the number is missed.

    python benchmarks/object_store.py [--size 1GiB] [--rounds 2]

Starts SeaweedFS on loopback (`pip install -e '.[server]'`), which shares the processors with what is measured. Every
run is a process of its own; wall times are those of whole processes. What we restore is on the disk when the command
ends, so restic is also measured with the time until what it wrote is there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import bytecode, images, peers
from benchmarks.measuring import PASSPHRASE, Measured, judged
from runner.base import quantities

# What of ours, the peer, and how many times the peer's time it may take at most.
RATIOS: tuple[tuple[str, str, float | None], ...] = (
    ("full", "restic full", 1 / 2),
    ("restore", "restic restore", None),
    ("restore", "restic restore, sync", None),
)


def child(arguments: argparse.Namespace) -> None:
    """Do one measured thing in this process and print what came of it."""
    from runner.base import cancel, clock
    from runner.locations import object_clients
    from runner.registry.driver import Incomparable
    from runner.repository import access, volumes
    from runner.storage.file import driver, image

    location = object_clients.open_spec(json.loads(arguments.spec))
    if arguments.child == "init":
        access.create(location, PASSPHRASE, clock=clock.SystemClock())
        return
    repo = access.open(location, PASSPHRASE, clock=clock.SystemClock())
    token = cancel.CancelToken()
    if arguments.child == "restore":
        size = volumes.size_of(repo, arguments.base)
        with driver.FileDriver().create_volume(arguments.image, size, overwrite=True) as writer:
            volumes.restore_volume(repo, arguments.base, writer, cancel=token, progress=lambda *_: None)
        return
    done = volumes.export_volume(
        repo,
        image.Reader(os.open(arguments.image, os.O_RDONLY)),
        source="image",
        token=os.urandom(8).hex(),
        base=None,
        changed=Incomparable("there is no base"),
        cancel=token,
        progress=lambda *_: None,
    )
    print(json.dumps({"export": done.export}))


def ours(what: str, spec: str, image: Path, base: str = "") -> Measured:
    """Run one step in a process of its own."""
    options = ["--spec", spec, "--image", str(image), "--base", base]
    return Measured([sys.executable, __file__, "--child", what, *options])


def one_round(scratch: Path, number: int) -> dict[str, Measured]:
    """Run everything once, on a server of its own."""
    from tests.servers import seaweedfs

    folder = scratch / f"round-{number}"
    folder.mkdir()
    source = scratch / "source"
    with seaweedfs.started(folder) as server:
        spec = json.dumps(server.spec())
        ours("init", spec, source)
        found = {"full": ours("full", spec, source / "image")}
        restored = scratch / "restored"
        found["restore"] = ours("restore", spec, restored, found["full"].result["export"])
        restored.unlink()
        if peers.has("restic"):
            environment = server.environment()
            peer = peers.restic(folder, f"s3:{server.endpoint}/{server.bucket}/restic", **environment)
            found["restic full"] = peer.backup(source)
            found["restic restore"] = peer.restore(scratch / "restic-restored")
            found["restic restore, sync"] = peer.restore(scratch / "restic-restored", durably=True)
    shutil.rmtree(folder)
    return found


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1GiB")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--scratch", help="where to work; needs about five times the size")
    for name in ("child", "spec", "image", "base"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return 0
    print(*peers.versions("restic"), sep="\n")
    with bytecode.kept(), tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        (Path(folder) / "source").mkdir()
        images.make_image(Path(folder) / "source" / "image", quantities.parse_bytes(arguments.size))
        rounds = [one_round(Path(folder), number) for number in range(arguments.rounds)]
    good = True
    for name in rounds[0]:
        runs = [each[name] for each in rounds]
        wall, cpu = min(run.wall for run in runs), statistics.median(run.cpu for run in runs)
        print(f"{name:22}{wall:8.2f} s{cpu:8.2f} s of processor{max(run.rss_mib for run in runs):6.0f} MiB")
    for name, other, limit in RATIOS:
        if other in rounds[0]:
            ratio = min(each[name].wall for each in rounds) / min(each[other].wall for each in rounds)
            good = good and (limit is None or ratio <= limit)
            print(f"{name} / {other}   {ratio:.2f}" + ("" if limit is None else judged(ratio, limit)))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
