"""A tree of many small files against restic, in one run, as ratios; exits non-zero when a number is missed.

    python benchmarks/trees.py [--files 100000] [--rounds 2]

The files are of 200 bytes to 16 KiB, text and noise, a hundred in each directory. Every run is a process of its own;
the second backup follows a change of one file in a hundred. Wall times are those of whole processes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import bytecode, peers
from benchmarks.measuring import PASSPHRASE, Measured, judged

LIMIT = 1.0
STEPS = ("full", "second", "restore")


def make_tree(top: Path, count: int) -> None:
    """Write the files; the same on every run."""
    draw = random.Random(3)
    words = [f"word{number}" for number in range(500)]
    for number in range(count):
        place = top / f"{number // 10_000:03}" / f"{number // 100 % 100:02}"
        place.mkdir(parents=True, exist_ok=True)
        size = draw.randrange(200, 16 * 1024)
        data = draw.randbytes(size) if number % 4 == 0 else " ".join(draw.choices(words, k=size // 7)).encode()
        (place / f"file-{number}").write_bytes(data)


def change_tree(top: Path, count: int) -> None:
    """Write one file in a hundred anew."""
    for number in range(0, count, 100):
        place = top / f"{number // 10_000:03}" / f"{number // 100 % 100:02}" / f"file-{number}"
        place.write_bytes(b"changed " + place.read_bytes())


def child(arguments: argparse.Namespace) -> None:
    """Do one measured thing in this process and print what came of it."""
    from runner.base import cancel, clock, ids
    from runner.locations import directory
    from runner.repository import access, tree_capture, tree_restore, tree_walk

    location = directory.Directory(arguments.repository)
    if arguments.child == "init":
        access.create(location, PASSPHRASE, clock=clock.SystemClock())
        return
    repo = access.open(location, PASSPHRASE, clock=clock.SystemClock())
    token, top = cancel.CancelToken(), Path(arguments.top)
    if arguments.child == "restore":
        tree_restore.restore_tree(
            repo,
            ids.ExportId(arguments.base),
            top,
            token="restore",
            record=top.with_name("record"),
            cancel=token,
            progress=lambda *_: None,
            warn=print,
        )
        return
    done = tree_capture.backup_tree(
        repo,
        tree_walk.Scope(roots=[top]),
        source=str(top),
        token=os.urandom(8).hex(),
        base=ids.ExportId(arguments.base) if arguments.base else None,
        cancel=token,
        progress=lambda *_: None,
        warn=print,
    )
    print(json.dumps({"export": done.export, "read": done.bytes_read}))


def ours(what: str, repository: Path, top: Path, base: str = "") -> Measured:
    """Run one step in a process of its own."""
    options = ["--repository", str(repository), "--top", str(top), "--base", base]
    return Measured([sys.executable, __file__, "--child", what, *options])


def one_round(scratch: Path, count: int) -> dict[str, Measured]:
    """Run everything once."""
    top, restored = scratch / "tree", scratch / "restored"
    make_tree(top, count)
    found = {}
    ours("init", scratch / "ours", top)
    restic = peers.restic(scratch, str(scratch / "restic")) if peers.has("restic") else None
    found["full"] = ours("full", scratch / "ours", top)
    if restic:
        found["restic full"] = restic.backup(top)
    change_tree(top, count)
    found["second"] = ours("second", scratch / "ours", top, found["full"].result["export"])
    if restic:
        found["restic second"] = restic.backup(top)
    found["restore"] = ours("restore", scratch / "ours", restored, found["second"].result["export"])
    if subprocess.run(["diff", "-rq", str(top), str(restored / "tree")]).returncode:
        raise SystemExit("the restored tree differs")
    if restic:
        found["restic restore"] = restic.restore(scratch / "restic-restored")
    for name in ("tree", "restored", "ours", "restic", "restic-cache"):
        shutil.rmtree(scratch / name, ignore_errors=True)
    return found


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--scratch", help="where to work")
    for name in ("child", "repository", "top", "base"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return 0
    print(*peers.versions("restic"), sep="\n")
    with bytecode.kept(), tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        rounds = [one_round(Path(folder), arguments.files) for _ in range(arguments.rounds)]
    good = True
    for step in STEPS:
        runs = [each[step] for each in rounds]
        line = f"{step:10}{min(run.wall for run in runs):7.2f} s {max(run.rss_mib for run in runs):6.0f} MiB"
        if f"restic {step}" in rounds[0]:
            other = min(each[f"restic {step}"].wall for each in rounds)
            ratio = min(run.wall for run in runs) / other
            holds = ratio <= LIMIT or step == "restore"
            good = good and holds
            wanted = "" if step == "restore" else judged(ratio, LIMIT)
            line += f"   restic {other:6.2f} s   {ratio:.2f} times{wanted}"
        print(line)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
