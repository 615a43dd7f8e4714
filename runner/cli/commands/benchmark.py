"""`runner benchmark`: what this machine and a location can do, and what follows for backups."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from runner.app import estimates, measuring, measuring_location
from runner.base import codes, durations, errors, quantities
from runner.base.jsonvalue import JsonObject
from runner.cli import application, commanding, options, shapes, working
from runner.cli import console as consoles
from runner.params import locations

_LEAST = 1 << 20


@click.command("benchmark", cls=commanding.Command)
@options.size("--size", default="512MiB", show_default=True, help="How much is written to the file and the location.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where the file is. [default: the directory for temporary files]",
)
@click.option(
    "--location",
    metavar="NAME|FILE|URL",
    help="Measure this location as well: a configured name, a profile file, or a URL.",
)
@click.pass_obj
def command(console: consoles.Console, size: int, directory: Path | None, location: str | None) -> int:
    """Find out what this machine and a location can do.

    Measured are reading and writing files, hashing, compressing, encrypting, the whole data path, and with --location
    how long the location takes and how much it moves. No repository is needed or touched; what is written has names of
    its own and is deleted, also after Ctrl-C.
    """
    if size < _LEAST:
        raise errors.UsageError("--size is less than 1 MiB", hint="give a size such as 512MiB")
    app = application.of(console)
    target = None if location is None else app.target(location)
    if target is not None:
        _refuse_unfit(target)
    place = None if target is None else app.open_location(target)
    where = (directory or Path(tempfile.gettempdir())).absolute()
    with working.watched(console, app.clock, "measuring the machine", unit="steps") as report:
        machine = measuring.measure(app.clock, where, size, report)
    found = None
    if place is not None:
        with working.watched(console, app.clock, "measuring the location") as report:
            found = measuring_location.measure(place, app.clock, size, report)
    export, restore = estimates.export(machine, found), estimates.restore(machine, found)
    value: JsonObject = {
        "machine": shapes.of(machine),
        "location": None if found is None else shapes.of(found),
        "firstExport": shapes.of(export),
        "restore": shapes.of(restore),
    }
    console.result(value, lambda: _lines(console, machine, found, export, restore))
    return codes.Exit.OK


def _refuse_unfit(target: locations.Target) -> None:
    if target.spec.get("readOnly"):
        raise errors.UsageError(
            f"the profile of {target.label} says readOnly: true, so nothing can be measured there",
            hint="measure the machine alone without --location",
        )
    if target.spec.get("retention"):
        raise errors.UsageError(
            f"what is written to {target.label} is locked by its retention, and could not be deleted afterwards",
            hint="measure with a profile of the same bucket without retention",
        )


def _lines(
    console: consoles.Console,
    machine: measuring.Machine,
    place: measuring_location.Place | None,
    export: estimates.Estimate,
    restore: estimates.Estimate,
) -> Iterator[str]:
    yield console.style("This machine", bold=True)
    yield _row("read a file", machine.read_file, f"in {machine.directory}, not from the memory of the kernel")
    yield _row("write a file", machine.write_file, "there, until it is durable")
    yield _row("hash", machine.hash, "BLAKE3, one thread")
    yield _row("compress", machine.compress, f"zstd, one thread; the sample shrinks to {machine.ratio:.0%}")
    yield _row("encrypt", machine.encrypt, "AES-256-GCM, one thread")
    yield _row("export", machine.export, f"all of that, {machine.workers} workers; one: {_rate(machine.export_one)}")
    yield _row("restore", machine.restore, f"{machine.workers} workers")
    if place is not None:
        yield console.style(f"The location {place.url}", bold=True)
        latencies = {"write": place.write_s, "read": place.read_s, "list": place.list_s, "delete": place.delete_s}
        shown = ", ".join(f"{name} {seconds * 1000:.3g} ms" for name, seconds in latencies.items())
        yield f"  a small object   {shown}"
        for each in place.throughput:
            size = quantities.bytes_for_people(place.object_bytes)
            yield f"  {each.parallel} × {size:<11}  write {_rate(each.write):>13}   read {_rate(each.read):>13}"
    yield console.style("What follows for 100 GiB that compress like the sample", bold=True)
    yield _estimate("first export", export)
    yield _estimate("restore", restore)
    if place is None:
        yield "  with --location, what the location can do is measured as well"


def _row(name: str, rate: float, details: str) -> str:
    return f"  {name:<13}  {_rate(rate):>13}   {details}"


def _estimate(name: str, estimate: estimates.Estimate) -> str:
    seconds = durations.for_people(estimate.seconds)
    return f"  {name:<13}  {seconds:>13}   {_rate(estimate.per_second)}; the limit is {estimate.limit}"


def _rate(rate: float) -> str:
    return f"{quantities.bytes_for_people(round(rate))}/s"
