"""A repository of 1 TiB in chunks of 64 KiB: memory, time to the first byte; exits non-zero when a number is missed.

    python benchmarks/scale.py [--tib 1.0]

The index names every chunk of a volume of that size and the map of the volume is there; the packs of its data are not,
for nothing here reads them. Then processes of their own open the repository and read one page of the map, and export
the volume again with one percent of its chunks changed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import images
from benchmarks.images import CHUNK
from benchmarks.measuring import PASSPHRASE, ROOT, judged
from runner.registry.driver import Extent

# As many as an export puts into one segment, and as a pack of volume data holds.
SEGMENT, PACK = 65_536, 700
OPEN_LIMIT_S = 2.0
RSS_LIMIT_MIB = 256


def chunk_ids(page: int) -> bytes:
    """Return the ids of one page of the map; they look random and are the same each time."""
    return random.Random(page).randbytes(128 * 32)


def build(place: str, chunks: int) -> None:
    """Make a repository whose index names so many chunks, and the map of a volume that is made of them."""
    from runner.base import cancel, clock, ids
    from runner.locations import directory
    from runner.repository import access, crypto, locks, records, segments, volume_map

    location = directory.Directory(place)
    repo = access.create(location, PASSPHRASE, clock=clock.SystemClock())
    with repo.lock(locks.Use.SHARED) as lock, repo.writer(token="base", cancel=cancel.CancelToken(), run="") as writer:
        level = volume_map.levels_of(chunks)
        builder = volume_map.MapBuilder(level, lambda page: writer.store([page], crypto.Kind.PAGE)[0])
        entries: list[bytes] = []
        for page in range(chunks // 128):
            content = chunk_ids(page)
            builder.append(1, writer.store([content], crypto.Kind.PAGE)[0])
            entries += [
                records.ENTRY.pack(content[start : start + 32], start, 22_000, CHUNK, start % PACK, 1, 0)
                for start in range(0, len(content), 32)
            ]
            if len(entries) == SEGMENT:
                groups = {os.urandom(32): entries[start : start + PACK] for start in range(0, SEGMENT, PACK)}
                segments.write(location, repo.keys, groups, ids.random_bytes, lock=lock.name)
                entries = []
        body = {"size": chunks * CHUNK, "chunkSize": CHUNK, "level": level}
        export = writer.finish({"kind": "volume", "source": "volume", "roots": [builder.finish()], "body": body})
    print(json.dumps({"export": export}))


def child(arguments: argparse.Namespace) -> None:
    """Do one measured thing in this process and print what came of it."""
    if arguments.child == "build":
        build(arguments.repository, arguments.chunks)
        return
    from runner.base import cancel, clock
    from runner.locations import directory
    from runner.repository import access, ranges, volume_map, volumes

    started = time.perf_counter()
    repo = access.open(directory.Directory(arguments.repository), PASSPHRASE, clock=clock.SystemClock())
    if arguments.child == "open":
        manifest = repo.manifest(arguments.base)
        root = volume_map.VolumeRoot.of(manifest)
        piece = next(iter(ranges.VolumeContent(root, repo.reader()).pieces(0, 1)))
        assert piece.chunk == chunk_ids(0)[:32]
        assert repo.index.find(piece.chunk) is not None
    else:
        draw = random.Random(11)
        numbers = (first + draw.randrange(100) for first in range(0, arguments.chunks - 100, 100))
        volumes.export_volume(
            repo,
            images.SyntheticReader(arguments.chunks * CHUNK),
            source="volume",
            token=os.urandom(4).hex(),
            base=arguments.base,
            changed=(Extent(offset=number * CHUNK, length=CHUNK) for number in numbers),
            cancel=cancel.CancelToken(),
            progress=lambda *_: None,
        )
    work = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"work": work, "peak": peak}))


def run(what: str, repository: str, chunks: int, base: str = "") -> dict[str, float | str]:
    """Run one step in a process of its own."""
    command = [sys.executable, __file__, "--child", what, "--repository", repository, "--chunks", str(chunks)]
    done = subprocess.run([*command, "--base", base], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    result: dict[str, float | str] = json.loads(done.stdout)
    return result


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tib", type=float, default=1.0, help="size of the volume")
    parser.add_argument("--scratch", help="where to work; needs 2 GiB for each TiB")
    for name in ("child", "repository", "base"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    parser.add_argument("--chunks", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return 0
    chunks = int(arguments.tib * 1024**4) // (CHUNK * SEGMENT) * SEGMENT
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        base = str(run("build", folder, chunks)["export"])
        opened = run("open", folder, chunks, base)
        exported = run("export", folder, chunks, base)
    # The goal is set for ten million chunks.
    open_limit = OPEN_LIMIT_S * max(1, chunks / 10e6)
    took, work = float(opened["work"]), float(exported["work"])
    peaks = {"opening": float(opened["peak"]), "exporting": float(exported["peak"])}
    print(f"volume of {chunks * CHUNK / 1024**4:.2f} TiB, {chunks / 1e6:.1f} million chunks")
    print(f"open to the first byte: {took:8.2f} s{judged(took, open_limit)}")
    print(f"export of 1 % changed:  {work:8.2f} s")
    for step, peak in peaks.items():
        print(f"peak memory, {step:10} {peak:8.2f} MiB{judged(peak, RSS_LIMIT_MIB)}")
    return 0 if took <= open_limit and max(peaks.values()) <= RSS_LIMIT_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
