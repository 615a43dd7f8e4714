"""The data path against zstd, qemu-img, restic, rustic and borg, as ratios; exits non-zero when a number is missed.

    python benchmarks/data_path.py [--size 4GiB] [--rounds 3] [--skip-large]

Makes an image that is like a file system: programs and texts of this machine, log lines, random bytes, a quarter of
holes. Every run is a process of its own on the image in the page cache; runs are interleaved because machines are
noisy. A limit applies to the ratio of the fastest runs, which are those that were disturbed least; the ratios within
each round are printed beside it. Wall times are those of whole processes, for peers as for us, but for "itself", which
is the export without the start of the interpreter and the opening of the repository.

Restores are measured into memory (`/dev/shm`), where the programs decide, and onto the disk, which decides itself when
it is slow. What we restore is on the disk when the command ends; the others leave that to the system, so for them the
time counts until what they wrote is there. zstd and qemu-img (`convert` to a compressed qcow2 image, and back)
do less: they encrypt nothing, and store the same data twice. What is not installed but for zstd is left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import bytecode, peers
from benchmarks.measuring import MIB, Measured, judged

# What one measured process of ours does.
WORK = str(Path(__file__).with_name("volume_work.py"))
RSS_LIMIT_MIB = 128
LARGE_RSS_LIMIT_MIB = 200


def ours(what: str, repository: Path, image: str, **options: str) -> Measured:
    extra = [part for name, value in options.items() for part in (f"--{name}", value)]
    return Measured([sys.executable, WORK, what, "--repository", str(repository), "--image", image, *extra])


def one_round(scratch: Path, memory: Path, image: Path, changed: Path, extents: Path) -> dict[str, Measured]:
    """Run everything once, in turns."""
    found = {}
    packed, repository = scratch / "packed", scratch / "repository"
    places = {"restore": scratch / "restored", "restore, memory": memory / "restored"}
    for name, packer in peers.PACKERS.items():
        if peers.has(name):
            found[name] = packer.pack(image, packed)
            found |= {f"{name} {what}": packer.unpack(packed, place) for what, place in places.items()}
            packed.unlink()
    ours("init", repository, "")
    found["full"] = ours("export", repository, str(image))
    base = found["full"].result["export"]
    for what, place in places.items():
        found[what] = ours("restore", repository, str(place), base=base)
        if subprocess.run(["cmp", "-s", str(image), str(place)]).returncode:
            raise SystemExit("the restored image differs")
        place.unlink()
    found["verify"] = ours("verify", repository, "", base=base)
    found["changed"] = ours("export", repository, str(changed), base=base, extents=str(extents))
    found["rescan"] = ours("export", repository, str(changed), base=base)
    shutil.rmtree(repository)
    for name, make in (("restic", peers.restic), ("rustic", peers.rustic), ("borg", peers.borg)):
        if peers.has(name):
            place = scratch / name
            found |= others(name, make(scratch, str(place)), scratch, places, image, changed)
            shutil.rmtree(place)
    return found


def others(
    name: str, peer: peers.Peer, scratch: Path, places: dict[str, Path], image: Path, changed: Path
) -> dict[str, Measured]:
    """Let a peer do the same; restic finds the change by reading."""
    source = scratch / "source"
    source.mkdir()
    os.link(image, source / "image")
    found = {name: peer.backup(source)}
    found |= {f"{name} {what}": peer.restore(place, durably=True) for what, place in places.items()}
    if name == "restic":
        (source / "image").unlink()
        os.link(changed, source / "image")
        found[f"{name} rescan"] = peer.backup(source)
    shutil.rmtree(source)
    return found


def wall(run: Measured) -> float:
    """Return the time of a whole process."""
    return run.wall


def itself(run: Measured) -> float:
    """Return the time of the work alone."""
    return float(run.result["itself"])


# Title, ours, how it is measured, the peer, and how many times the peer's time it may take at most.
RATIOS: tuple[tuple[str, str, Callable[[Measured], float], str, float | None], ...] = (
    ("full export / zstd -1 -T2", "full", wall, "zstd", 1.05),
    ("full export / restic", "full", wall, "restic", 1 / 2.8),
    ("1 % changed / restic rescan", "changed", wall, "restic rescan", 1 / 20),
    ("1 % changed, itself / restic", "changed", itself, "restic rescan", 1 / 50),
    ("rescan / restic rescan", "rescan", wall, "restic rescan", 1 / 4),
    ("restore / zstd -d", "restore", wall, "zstd restore", 1.25),
    ("restore / zstd -d, memory", "restore, memory", wall, "zstd restore, memory", 1.25),
    ("full export / qemu-img", "full", wall, "qemu-img", None),
    ("restore / qemu-img", "restore", wall, "qemu-img restore", None),
    ("restore / qemu-img, memory", "restore, memory", wall, "qemu-img restore, memory", None),
    ("restore / restic", "restore", wall, "restic restore", None),
    ("restore / restic, memory", "restore, memory", wall, "restic restore, memory", 1 / 1.25),
    ("full export / rustic", "full", wall, "rustic", 1 / 2),
    ("restore / rustic", "restore", wall, "rustic restore", None),
    ("restore / rustic, memory", "restore, memory", wall, "rustic restore, memory", 1 / 1.6),
    ("full export / borg", "full", wall, "borg", None),
    ("restore / borg", "restore", wall, "borg restore", None),
    ("restore / borg, memory", "restore, memory", wall, "borg restore, memory", None),
    ("verify / restore", "verify", wall, "restore", 1.0),
)


def report(rounds: list[dict[str, Measured]]) -> bool:
    """Print medians and ratios; tell whether all numbers hold."""
    print(f"\n{'run':22}{'wall s':>22}{'CPU s':>8}{'RSS MiB':>9}{'stored MiB':>12}")
    for name in rounds[0]:
        runs = [each[name] for each in rounds]
        walls = sorted(run.wall for run in runs)
        spread = f"{statistics.median(walls):.2f} ({walls[0]:.2f}–{walls[-1]:.2f})"
        stored = runs[0].result.get("stored")
        size = f"{stored / MIB:.1f}" if stored is not None else ""
        cpu = statistics.median(run.cpu for run in runs)
        print(f"{name:22}{spread:>22}{cpu:8.2f}{max(run.rss_mib for run in runs):9.0f}{size:>12}")
    print(f"\n{'ratio':32}{'fastest':>8}{'within a round':>20}")
    good = True
    for title, mine, measure, other, limit in RATIOS:
        if other not in rounds[0]:
            continue
        ratios = sorted(measure(each[mine]) / each[other].wall for each in rounds)
        ratio = min(measure(each[mine]) for each in rounds) / min(each[other].wall for each in rounds)
        holds = limit is None or ratio <= limit
        good = good and holds
        wanted = "" if limit is None else judged(ratio, limit)
        within = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        print(f"{title:32}{ratio:8.3f}{within:>20}{wanted}")
    names = ("full", "changed", "rescan", "restore", "restore, memory", "verify")
    peak = max(each[name].rss_mib for each in rounds for name in names)
    return check_memory("the image", peak, RSS_LIMIT_MIB) and good


def check_memory(what: str, peak: float, limit: int) -> bool:
    """Print the peak memory; tell whether it is low enough."""
    print(f"peak memory, {what}: {peak:.0f} MiB{judged(peak, limit)}")
    return peak <= limit


def large(scratch: Path) -> bool:
    """Export synthetic volumes of 4 and of 64 GiB and look at the memory."""
    good = True
    for gib in (4, 64):
        repository = scratch / "large"
        ours("init", repository, "")
        run = ours("export", repository, str(gib * 1024 * MIB))
        print(f"synthetic volume of {gib} GiB: {run.wall:.1f} s")
        good = check_memory(f"{gib} GiB", run.rss_mib, LARGE_RSS_LIMIT_MIB) and good
        shutil.rmtree(repository)
    return good


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="4GiB", help="size of the image; a small one measures start-up")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip-large", action="store_true", help="leave out the volumes of 4 and 64 GiB")
    parser.add_argument("--scratch", help="where to work; needs about five times the size, /dev/shm once")
    arguments = parser.parse_args()
    if not shutil.which("zstd"):
        print("the program zstd is missing: install it with `apt-get install zstd`", file=sys.stderr)
        return 4
    with (
        bytecode.kept(),
        tempfile.TemporaryDirectory(dir=arguments.scratch) as folder,
        tempfile.TemporaryDirectory(dir="/dev/shm") as in_memory,
    ):
        scratch, memory = Path(folder), Path(in_memory)
        image, changed, extents = scratch / "image", scratch / "changed", scratch / "extents.json"
        # In a process of its own, because what this one has in memory counts for its children until they begin.
        command = [sys.executable, WORK, "images", "--size", arguments.size, "--image", str(image)]
        subprocess.run([*command, "--changed", str(changed), "--extents", str(extents)], check=True)
        for path in (image, changed):
            subprocess.run(["cat", str(path)], stdout=subprocess.DEVNULL, check=True)
        data = image.stat().st_blocks * 512
        print(
            f"image of {image.stat().st_size / MIB:.0f} MiB with {data / MIB:.0f} MiB of data, {os.cpu_count()} cores"
        )
        print(*peers.versions("zstd", "qemu-img", "restic", "rustic", "borg"), sep="\n")
        rounds = [one_round(scratch, memory, image, changed, extents) for _ in range(arguments.rounds)]
        good = report(rounds)
        if not arguments.skip_large:
            good = large(scratch) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
