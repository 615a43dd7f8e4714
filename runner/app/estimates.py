"""What measurements of a machine and a location mean for a first export and a restore."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from runner.app import measuring, measuring_location

SIZE = 100 << 30


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """How long something takes.

    Attributes:
        seconds: For `SIZE` bytes that compress like the sample.
        per_second: Bytes of content a second.
        limit: What keeps it from being faster.
    """

    seconds: float
    per_second: float
    limit: str


def export(machine: measuring.Machine, place: measuring_location.Place | None) -> Estimate:
    """Estimate a first export, whose source is as fast as files of the machine."""
    rates = {"reading the source": machine.read_file, "the processor": machine.export}
    if place is not None:
        rates["writing to the location"] = place.best_write / machine.ratio
    return _slowest(rates)


def restore(machine: measuring.Machine, place: measuring_location.Place | None) -> Estimate:
    """Estimate a restore, whose target is as fast as files of the machine."""
    rates = {"writing the target": machine.write_file, "the processor": machine.restore}
    if place is not None:
        rates["reading from the location"] = place.best_read / machine.ratio
    return _slowest(rates)


def _slowest(rates: Mapping[str, float]) -> Estimate:
    limit = min(rates, key=lambda name: rates[name])
    return Estimate(seconds=SIZE / rates[limit], per_second=rates[limit], limit=limit)
