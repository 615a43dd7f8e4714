"""One thing that is done with a volume, in a process of its own that imports nothing else; started by `data_path.py`.

    python benchmarks/volume_work.py images|init|export|restore|verify [options]

It prints what came of it as JSON; `itself` are the seconds without the start of the interpreter and the opening of the
repository.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runner.base import cancel, clock, ids
from runner.locations import directory
from runner.registry.driver import BlockReader, Extent, Incomparable
from runner.repository import access, repository, volumes
from runner.storage.file import driver, image

# As that of the default repository: a generated one.
PASSPHRASE = "generated-7kq2m9xw7kq2m9xw7kq2m9xw7kq2m9xw"


def make_images(options: dict[str, str]) -> None:
    """Write the image, the changed one, and the list of what changed."""
    import subprocess

    from benchmarks import images
    from runner.base import quantities

    images.make_image(Path(options["image"]), quantities.parse_bytes(options["size"]))
    subprocess.run(["cp", "--sparse=always", options["image"], options["changed"]], check=True)
    Path(options["extents"]).write_text(json.dumps(images.change_image(Path(options["changed"]), 0.01)))


def restore(repo: repository.Repository, options: dict[str, str]) -> None:
    """Write an export to a new image."""
    base = ids.ExportId(options["base"])
    size = volumes.size_of(repo, base)
    with driver.FileDriver().create_volume(options["image"], size, overwrite=True) as writer:
        volumes.restore_volume(repo, base, writer, cancel=cancel.CancelToken(), progress=lambda *_: None)


def verify(repo: repository.Repository, options: dict[str, str]) -> None:
    """Read an export."""
    volumes.verify_volume(repo, ids.ExportId(options["base"]), cancel=cancel.CancelToken(), progress=lambda *_: None)


def export(repo: repository.Repository, options: dict[str, str]) -> dict[str, Any]:
    """Export an image, or a synthetic volume if a number of bytes stands in its place."""
    changed: Iterator[Extent] | Incomparable = Incomparable("nothing tells what changed")
    if "extents" in options:
        extents = json.loads(Path(options["extents"]).read_text())
        changed = iter([Extent(offset=offset, length=length) for offset, length in extents])
    done = volumes.export_volume(
        repo,
        _volume(options["image"]),
        source="image",
        token=os.urandom(8).hex(),
        base=ids.ExportId(options["base"]) if "base" in options else None,
        changed=changed,
        cancel=cancel.CancelToken(),
        progress=lambda *_: None,
    )
    return {"export": done.export, "read": done.bytes_read, "new": done.bytes_new, "stored": done.bytes_stored}


def _volume(name: str) -> BlockReader:
    if name.isdigit():
        from benchmarks import images

        return images.SyntheticReader(int(name))
    return image.Reader(os.open(name, os.O_RDONLY))


def main(what: str, options: dict[str, str]) -> None:
    """Do it."""
    if what == "images":
        make_images(options)
        return
    location, system = directory.Directory(options["repository"]), clock.SystemClock()
    if what == "init":
        access.create(location, PASSPHRASE, clock=system)
        return
    repo = access.open(location, PASSPHRASE, clock=system)
    started = time.perf_counter()
    result = {"export": export, "restore": restore, "verify": verify}[what](repo, options) or {}
    print(json.dumps({**result, "itself": time.perf_counter() - started}))


if __name__ == "__main__":
    named = sys.argv[2:]
    main(sys.argv[1], {name.removeprefix("--"): value for name, value in zip(named[::2], named[1::2], strict=True)})
