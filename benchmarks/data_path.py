"""The data path against `zstd -1 -T2` and restic, in one run, as ratios; exits non-zero when a number is missed.

    python benchmarks/data_path.py [--size 2GiB] [--rounds 3] [--skip-large]

Makes an image that is like a file system: programs and texts of this machine, log lines, random bytes, a quarter of
holes. Every run is a process of its own on the image in the page cache; runs are interleaved because machines are
noisy. A limit applies to the ratio of the fastest runs, which are those that were disturbed least; the ratios within
each round are printed beside it. Wall times are those of whole processes, for zstd as for us.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from runner.base import quantities  # noqa: E402
from runner.registry.driver import Extent, Incomparable  # noqa: E402

CHUNK = 64 * 1024
MIB = 1024 * 1024
FULL_LIMIT = 1.5
RSS_LIMIT_MIB = 200


def make_image(path: Path, size: int) -> None:
    """Write the image; the same on every run on one machine."""
    draw = random.Random(7)
    files = _files()
    with path.open("wb") as image:
        while image.tell() < size:
            what = draw.random()
            if what < 0.22:
                image.seek(draw.randrange(64, 4096) * 4096, os.SEEK_CUR)
            elif what < 0.25:
                image.write(draw.randbytes(draw.randrange(256, 2048) * 4096))
            elif what < 0.28:
                image.write(_log(draw, draw.randrange(256, 2048) * 4096))
            else:
                _copy_files(image, files, draw.randrange(256, 4096) * 4096)
        image.truncate(size)


def _files() -> Iterator[Path]:
    for top in ("/usr/share", "/usr/bin", "/usr/lib", sys.prefix, sys.base_prefix):
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
                    yield path


def _copy_files(image: BinaryIO, files: Iterator[Path], count: int) -> None:
    end = image.tell() + count
    while image.tell() < end:
        path = next(files, None)
        if path is None:
            image.write(os.urandom(end - image.tell()))
            return
        data = path.read_bytes()[: 16 * MIB]
        image.write(data + bytes(-len(data) % 4096))


def _log(draw: random.Random, count: int) -> bytes:
    lines = []
    length = 0
    while length < count:
        line = (
            f"2026-11-{draw.randrange(1, 30):02} {draw.randrange(24):02}:{draw.randrange(60):02}:00 "
            f"host-{draw.randrange(40)} app[{draw.randrange(30000)}]: request /items/{draw.getrandbits(40):x} "
            f"took {draw.randrange(900)} ms, status {draw.choice((200, 200, 200, 404, 500))}\n"
        )
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()[:count]


def change_image(path: Path, share: float) -> list[tuple[int, int]]:
    """Overwrite a share of the chunks in part; return the extents that a storage would report."""
    draw = random.Random(11)
    size = path.stat().st_size
    numbers = sorted(draw.sample(range(size // CHUNK), max(1, int(size // CHUNK * share))))
    with path.open("r+b") as image:
        for number in numbers:
            for _ in range(8):
                image.seek(number * CHUNK + draw.randrange(15) * 4096)
                image.write(draw.randbytes(4096))
    return [(number * CHUNK, CHUNK) for number in numbers]


def make_images(arguments: argparse.Namespace) -> None:
    """Write the image, the changed one, and the list of what changed."""
    make_image(Path(arguments.image), quantities.parse_bytes(arguments.size))
    subprocess.run(["cp", "--sparse=always", arguments.image, arguments.changed], check=True)
    Path(arguments.extents).write_text(json.dumps(change_image(Path(arguments.changed), 0.01)))


class FileReader:
    """A raw image."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self.size_bytes = os.fstat(self._descriptor).st_size

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill the target."""
        done = 0
        while done < len(target):
            done += os.preadv(self._descriptor, [target[done:]], offset + done)

    def allocated(self) -> Iterator[Extent]:
        """Yield what may hold data."""
        offset = 0
        while offset < self.size_bytes:
            try:
                start = os.lseek(self._descriptor, offset, os.SEEK_DATA)
            except OSError:
                return
            offset = os.lseek(self._descriptor, start, os.SEEK_HOLE)
            yield Extent(offset=start, length=offset - start)


class FileWriter:
    """A new raw image."""

    def __init__(self, path: Path, size: int) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.ftruncate(self._descriptor, size)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write at an offset."""
        os.pwrite(self._descriptor, data, offset)

    def commit(self) -> None:
        """Make it durable."""
        os.fdatasync(self._descriptor)


class SyntheticReader:
    """A volume made while it is read: every chunk differs from every other and compresses to about 2 KiB."""

    def __init__(self, size: int) -> None:
        self.size_bytes = size
        self._text = (b"all work and no play " * 4096)[:CHUNK]
        self._noise = random.Random(5).randbytes(CHUNK)

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill the target."""
        for start in range(0, len(target), CHUNK):
            part = target[start : start + CHUNK]
            part[:] = self._text[: len(part)]
            number = offset + start
            shift = number // CHUNK % (CHUNK - 2048)
            part[:8] = number.to_bytes(8, "big")
            part[8:2056] = self._noise[shift : shift + 2048]

    def allocated(self) -> Iterator[Extent]:
        """Yield what may hold data."""
        yield Extent(offset=0, length=self.size_bytes)


def child(arguments: argparse.Namespace) -> None:
    """Do one measured thing in this process and print what came of it."""
    if arguments.child == "images":
        make_images(arguments)
        return
    from runner.base import cancel, clock
    from runner.locations import directory
    from runner.repository import repository, volumes

    started = time.perf_counter()
    location = directory.Directory(arguments.repository)
    system = clock.SystemClock()
    if arguments.child == "init":
        repository.create(location, "benchmark", clock=system)
        return
    repo = repository.open(location, "benchmark", clock=system)
    token = cancel.CancelToken()
    if arguments.child == "restore":
        size = volumes.size_of(repo, arguments.base)
        writer = FileWriter(Path(arguments.image), size)
        volumes.restore_volume(repo, arguments.base, writer, cancel=token, progress=lambda *_: None)
        result = {}
    else:
        synthetic = arguments.image.isdigit()
        reader = SyntheticReader(int(arguments.image)) if synthetic else FileReader(Path(arguments.image))
        changed: Iterator[Extent] | Incomparable = Incomparable("nothing tells what changed")
        if arguments.extents:
            extents = json.loads(Path(arguments.extents).read_text())
            changed = iter([Extent(offset=offset, length=length) for offset, length in extents])
        done = volumes.export_volume(
            repo,
            reader,
            source="image",
            token=os.urandom(8).hex(),
            base=arguments.base,
            changed=changed,
            cancel=token,
            progress=lambda *_: None,
        )
        result = {"export": done.export, "read": done.bytes_read, "new": done.bytes_new, "stored": done.bytes_stored}
    result["work"] = time.perf_counter() - started
    print(json.dumps(result))


class Measured:
    """One finished process."""

    def __init__(self, command: list[str], **options: Any) -> None:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, **options)
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command[0]} failed with {process.returncode}")
        self.wall = time.perf_counter() - started
        self.cpu = usage.ru_utime + usage.ru_stime
        self.rss_mib = usage.ru_maxrss / 1024
        self.result = json.loads(output) if output.startswith(b"{") else {}


def ours(what: str, repository: Path, image: str, **options: str) -> Measured:
    extra = [part for name, value in options.items() for part in (f"--{name}", value)]
    return Measured(
        [sys.executable, __file__, "--child", what, "--repository", str(repository), "--image", image, *extra]
    )


def one_round(scratch: Path, image: Path, changed: Path, extents: Path) -> dict[str, Measured]:
    """Run everything once, in turns."""
    found = {}
    packed, repository, restored = scratch / "packed", scratch / "repository", scratch / "restored"
    found["zstd"] = Measured(["zstd", "-1", "-T2", "-q", "-f", str(image), "-o", str(packed)])
    found["zstd restore"] = Measured(["zstd", "-d", "-q", "-f", "--sparse", str(packed), "-o", str(restored)])
    found["zstd"].result["stored"] = packed.stat().st_size
    packed.unlink()
    ours("init", repository, "")
    found["full"] = ours("export", repository, str(image))
    base = found["full"].result["export"]
    found["restore"] = ours("restore", repository, str(restored), base=base)
    if subprocess.run(["cmp", "-s", str(image), str(restored)]).returncode:
        raise SystemExit("the restored image differs")
    found["changed"] = ours("export", repository, str(changed), base=base, extents=str(extents))
    found["rescan"] = ours("export", repository, str(changed), base=base)
    if shutil.which("restic"):
        found |= restic(scratch, image, changed, restored)
    shutil.rmtree(repository)
    restored.unlink()
    return found


def restic(scratch: Path, image: Path, changed: Path, restored: Path) -> dict[str, Measured]:
    """Let restic do the same; it finds the change by reading."""
    repository, source = scratch / "restic", scratch / "source"
    source.mkdir(exist_ok=True)
    environment = {**os.environ, "RESTIC_PASSWORD": "benchmark", "RESTIC_CACHE_DIR": str(scratch / "cache")}
    command = ["restic", "-q", "-r", str(repository)]
    subprocess.run([*command, "init"], env=environment, check=True)
    found = {}
    for name, path in (("restic", image), ("restic rescan", changed)):
        link = source / "image"
        link.unlink(missing_ok=True)
        os.link(path, link)
        found[name] = Measured([*command, "backup", str(source)], env=environment)
        if name == "restic":
            target = scratch / "restic-restored"
            found["restic restore"] = Measured(
                [*command, "restore", "latest", "--target", str(target)], env=environment
            )
            shutil.rmtree(target)
    shutil.rmtree(repository)
    shutil.rmtree(source)
    return found


RATIOS = (
    ("full export / zstd -1 -T2", "full", "zstd", FULL_LIMIT),
    ("full export / restic", "full", "restic", None),
    ("1 % changed / zstd -1 -T2", "changed", "zstd", None),
    ("1 % changed / restic rescan", "changed", "restic rescan", None),
    ("rescan / restic rescan", "rescan", "restic rescan", None),
    ("restore / zstd -d", "restore", "zstd restore", None),
    ("restore / restic", "restore", "restic restore", None),
)


def report(rounds: list[dict[str, Measured]]) -> bool:
    """Print medians and ratios; tell whether all numbers hold."""
    print(f"\n{'run':16}{'wall s':>22}{'CPU s':>8}{'RSS MiB':>9}{'stored MiB':>12}")
    for name in rounds[0]:
        runs = [each[name] for each in rounds]
        walls = sorted(run.wall for run in runs)
        spread = f"{statistics.median(walls):.2f} ({walls[0]:.2f}–{walls[-1]:.2f})"
        stored = runs[0].result.get("stored")
        size = f"{stored / MIB:.1f}" if stored is not None else ""
        cpu = statistics.median(run.cpu for run in runs)
        print(f"{name:16}{spread:>22}{cpu:8.2f}{max(run.rss_mib for run in runs):9.0f}{size:>12}")
    print(f"\n{'ratio':32}{'fastest':>8}{'within a round':>20}")
    good = True
    for title, mine, other, limit in RATIOS:
        if other not in rounds[0]:
            continue
        ratios = sorted(each[mine].wall / each[other].wall for each in rounds)
        ratio = min(each[mine].wall for each in rounds) / min(each[other].wall for each in rounds)
        holds = limit is None or ratio <= limit
        good = good and holds
        wanted = "" if limit is None else f"  (at most {limit}: {'holds' if holds else 'MISSED'})"
        within = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        print(f"{title:32}{ratio:8.2f}{within:>20}{wanted}")
    peak = max(run.rss_mib for each in rounds for name, run in each.items() if name in ("full", "changed", "restore"))
    return check_memory("the image", peak) and good


def check_memory(what: str, peak: float) -> bool:
    """Print the peak memory; tell whether it is low enough."""
    holds = peak <= RSS_LIMIT_MIB
    print(f"peak memory, {what}: {peak:.0f} MiB  (at most {RSS_LIMIT_MIB}: {'holds' if holds else 'MISSED'})")
    return holds


def large(scratch: Path) -> bool:
    """Export synthetic volumes of 4 and of 64 GiB and look at the memory."""
    good = True
    for gib in (4, 64):
        repository = scratch / "large"
        ours("init", repository, "")
        run = ours("export", repository, str(gib * 1024 * MIB))
        print(f"synthetic volume of {gib} GiB: {run.wall:.1f} s")
        good = check_memory(f"{gib} GiB", run.rss_mib) and good
        shutil.rmtree(repository)
    return good


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="2GiB", help="size of the image; a small one measures start-up")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip-large", action="store_true", help="leave out the volumes of 4 and 64 GiB")
    parser.add_argument("--scratch", help="where to work; needs about five times the size")
    for name in ("child", "repository", "image", "base", "changed", "extents"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return 0
    if not shutil.which("zstd"):
        print("the program zstd is missing: install it with `apt-get install zstd`", file=sys.stderr)
        return 4
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        scratch = Path(folder)
        image, changed, extents = scratch / "image", scratch / "changed", scratch / "extents.json"
        # In a process of its own, because what this one has in memory counts for its children until they begin.
        command = [sys.executable, __file__, "--child", "images", "--size", arguments.size, "--image", str(image)]
        subprocess.run([*command, "--changed", str(changed), "--extents", str(extents)], check=True)
        for path in (image, changed):
            subprocess.run(["cat", str(path)], stdout=subprocess.DEVNULL, check=True)
        data = image.stat().st_blocks * 512
        print(
            f"image of {image.stat().st_size / MIB:.0f} MiB with {data / MIB:.0f} MiB of data, {os.cpu_count()} cores"
        )
        for program in ("zstd", "restic"):
            if shutil.which(program):
                option = "--version" if program == "zstd" else "version"
                print(subprocess.run([program, option], capture_output=True, text=True).stdout.strip())
        rounds = [one_round(scratch, image, changed, extents) for _ in range(arguments.rounds)]
        good = report(rounds)
        if not arguments.skip_large:
            good = large(scratch) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
